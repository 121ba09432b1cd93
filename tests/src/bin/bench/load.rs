//! Where load comes from: `wrk` for requests that may be repeated, threads of this process for inputs that are used once.

use crate::place::Measured;
use propusk_tests::connection::Connection;
use propusk_tests::http::{Request, Response};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// Connections of every load.
pub(crate) const CONNECTIONS: usize = 32;

/// One measurement.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rate {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Server CPU a request, in microseconds; 0 where there is no server.
    pub cpu_micros: f64,
    /// Answers that were not what they should be.
    pub errors: u64,
}

impl Rate {
    /// The mean of slices of the same length.
    pub(crate) fn mean(slices: &[Self]) -> Self {
        let count = slices.len() as f64;
        let mean = |value: fn(&Self) -> f64| slices.iter().map(value).sum::<f64>() / count;
        Self {
            per_second: mean(|rate| rate.per_second),
            p50_ms: mean(|rate| rate.p50_ms),
            p99_ms: mean(|rate| rate.p99_ms),
            cpu_micros: mean(|rate| rate.cpu_micros),
            errors: slices.iter().map(|rate| rate.errors).sum(),
        }
    }
}

/// Sends the requests in turn by `wrk` for a while.
pub(crate) fn wrk(server: &Measured, base: &str, requests: &[Request], time: Duration) -> Rate {
    let directory = tempfile::tempdir().expect("a directory");
    let script = directory.path().join("load.lua");
    std::fs::write(&script, lua(requests)).expect("a script");
    let before = server.cpu_micros();
    let output = Command::new("wrk")
        .args(["-t2", &format!("-c{CONNECTIONS}"), &format!("-d{}s", time.as_secs().max(1)), "-s"])
        .arg(&script)
        .arg(base)
        .output()
        .expect("wrk (Debian: apt-get install wrk)");
    let cpu = server.cpu_micros() - before;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line =
        text.lines().find(|line| line.starts_with("RESULT ")).unwrap_or_else(|| panic!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)));
    let numbers: Vec<f64> = line.split_whitespace().skip(1).map(|number| number.parse().expect("a number")).collect();
    Rate {
        per_second: numbers[0] / (numbers[1] / 1e6),
        p50_ms: numbers[2] / 1e3,
        p99_ms: numbers[3] / 1e3,
        cpu_micros: cpu / numbers[0].max(1.0),
        errors: numbers[4] as u64,
    }
}

/// All requests, formatted once, sent in turn.
fn lua(requests: &[Request]) -> String {
    let mut script = String::from("local wanted = {}\nfunction init(args)\n");
    for request in requests {
        let headers: Vec<String> =
            request.headers.iter().map(|(name, value)| format!("[{}] = {}", quoted(name), quoted(&String::from_utf8_lossy(value)))).collect();
        let body = if request.body.is_empty() { "nil".to_owned() } else { quoted(&String::from_utf8_lossy(&request.body)) };
        script += &format!(
            "  wanted[#wanted + 1] = wrk.format({}, {}, {{{}}}, {body})\n",
            quoted(&request.method),
            quoted(&request.target()),
            headers.join(", ")
        );
    }
    script
        + "end\nlocal at = 0\nfunction request()\n  at = at % #wanted + 1\n  return wanted[at]\nend\nfunction done(summary, latency, requests)\n  local e = summary.errors\n  io.write(string.format(\"RESULT %d %d %d %d %d\\n\", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), e.status + e.connect + e.read + e.write + e.timeout))\nend\n"
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// One thing that a caller does again and again.
pub(crate) type Step = Box<dyn FnMut() + Send>;

/// Lets so many callers do their step for a while; what is no request has no server.
pub(crate) fn sustained(callers: usize, time: Duration, step: impl Fn(usize) -> Step) -> Rate {
    let steps: Vec<Work> = (0..callers)
        .map(|caller| {
            let mut step = step(caller);
            let work: Work = Box::new(move || {
                step();
                Some(true)
            });
            work
        })
        .collect();
    drive(None, steps, time)
}

/// One request or flow; whether it was answered well, `None` when the inputs are used up.
pub(crate) type Work = Box<dyn FnMut() -> Option<bool> + Send>;

/// Runs each on a thread of its own until the time is over or all inputs are used up.
pub(crate) fn drive(server: Option<&Measured>, works: Vec<Work>, time: Duration) -> Rate {
    let stop = Arc::new(AtomicBool::new(false));
    let barrier = Arc::new(Barrier::new(works.len() + 1));
    let threads: Vec<_> = works
        .into_iter()
        .map(|mut work| {
            let (stop, barrier) = (Arc::clone(&stop), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                let mut latencies = Vec::with_capacity(4096);
                let mut errors = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let Some(good) = work() else { break };
                    latencies.push(began.elapsed().as_nanos() as u64);
                    errors += u64::from(!good);
                }
                (latencies, errors, Instant::now())
            })
        })
        .collect();
    let cpu = server.map(Measured::cpu_micros);
    barrier.wait();
    let began = Instant::now();
    while began.elapsed() < time && !threads.iter().all(std::thread::JoinHandle::is_finished) {
        std::thread::sleep(Duration::from_millis(5));
    }
    stop.store(true, Ordering::Relaxed);
    let mut all = Vec::new();
    let mut errors = 0;
    let mut last = began;
    for thread in threads {
        let (latencies, wrong, ended) = thread.join().expect("a caller");
        all.extend(latencies);
        errors += wrong;
        last = last.max(ended);
    }
    let cpu = server.zip(cpu).map_or(0.0, |(server, before)| server.cpu_micros() - before);
    all.sort_unstable();
    let at = |part: f64| all.get(((all.len() as f64 * part) as usize).min(all.len().saturating_sub(1))).map_or(0.0, |nanos| *nanos as f64 / 1e6);
    let count = all.len() as f64;
    Rate { per_second: count / (last - began).as_secs_f64(), p50_ms: at(0.5), p99_ms: at(0.99), cpu_micros: cpu / count.max(1.0), errors }
}

/// A kept-alive connection that opens itself.
pub(crate) struct Caller {
    base: String,
    connection: Option<Connection>,
}

impl Caller {
    pub(crate) fn new(base: &str) -> Self {
        Self { base: base.to_owned(), connection: None }
    }

    /// The answer; `None` when the connection broke.
    pub(crate) fn send(&mut self, request: &Request) -> Option<Response> {
        let mut connection = self.connection.take().or_else(|| Connection::open(&self.base).ok())?;
        let response = connection.send(request).ok()?;
        self.connection = Some(connection);
        Some(response)
    }
}
