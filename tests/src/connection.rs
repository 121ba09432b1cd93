//! A connection for many requests.

use std::io::Write as _;
use std::net::TcpStream;

use crate::http::{HttpError, Request, Response, connect, read_response};

/// A connection that is kept open between requests, for load and for pipelining checks.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to the authority of this URL.
    ///
    /// # Errors
    /// [`HttpError`] when it cannot connect.
    pub fn open(url: &str) -> Result<Self, HttpError> {
        Ok(Self { stream: connect(&Request::get(url))?, buffer: Vec::new() })
    }

    /// Sends one request and reads its answer; the connection stays open unless the server closes it.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn send(&mut self, request: &Request) -> Result<Response, HttpError> {
        self.write(request)?;
        let response = self.read(&request.method)?;
        request.check(&response);
        Ok(response)
    }

    /// Sends without waiting for an answer.
    ///
    /// # Errors
    /// [`HttpError`] when the connection is gone.
    pub fn write(&mut self, request: &Request) -> Result<(), HttpError> {
        Ok(self.stream.write_all(&request.bytes_with("keep-alive"))?)
    }

    /// Reads the next answer; `method` is that of its request (`HEAD` has no body).
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn read(&mut self, method: &str) -> Result<Response, HttpError> {
        read_response(&mut self.stream, &mut self.buffer, method)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn two_answers_come_over_one_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            let count = stream.read(&mut buffer).unwrap();
            // Both at once: the second has to wait in the buffer.
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 204 No Content\r\n\r\n").unwrap();
            String::from_utf8_lossy(&buffer[..count]).into_owned()
        });
        let mut connection = Connection::open(&url).unwrap();
        assert_eq!(connection.send(&Request::get(&url)).unwrap().text(), "a");
        assert_eq!(connection.read("GET").unwrap().status, 204);
        assert!(server.join().unwrap().ends_with("Connection: keep-alive\r\n\r\n"));
    }
}
