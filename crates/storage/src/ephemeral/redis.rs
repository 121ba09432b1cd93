//! On Redis (6.2 or newer): an accelerator, never a requirement.

use crate::error::StorageError;
use propusk_domain::ephemeral::Ephemeral;
use propusk_domain::{Fault, UnixTime};
use redis::{Client, Connection, RedisError, RedisResult, Script};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Connections that are kept for later.
const KEPT: usize = 32;

/// Digits of the expiry that stands before each value, so that texts compare as the numbers do.
const STAMP: usize = 16;

/// Sets the key unless it lives by the caller's clock.
const PUT_NEW: &str = r"
local old = redis.call('GET', KEYS[1])
if old and string.sub(old, 1, 16) > ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1";

/// Adds to a counter that keeps the expiry of its first count.
const COUNT: &str = r"
local old = redis.call('GET', KEYS[1])
if old and string.sub(old, 1, 16) > ARGV[4] then
    local number = tonumber(string.sub(old, 17)) + tonumber(ARGV[1])
    redis.call('SET', KEYS[1], string.sub(old, 1, 16) .. string.format('%d', number), 'KEEPTTL')
    return number
end
redis.call('SET', KEYS[1], ARGV[2] .. ARGV[1], 'EX', ARGV[3])
return tonumber(ARGV[1])";

/// Ephemeral state on a Redis server that several replicas may share.
pub struct RedisEphemeral {
    client: Client,
    prefix: String,
    timeout: Duration,
    idle: Mutex<Vec<Connection>>,
    put_new: Script,
    count: Script,
}

impl RedisEphemeral {
    /// Uses the server at `url` (`redis://…`, `rediss://…`), which need not run yet; keys begin with `prefix`, and no step waits
    /// longer than `timeout_ms` for a connection or an answer.
    ///
    /// # Errors
    /// A broken fault when the URL cannot be read.
    pub fn new(url: &str, prefix: &str, timeout_ms: u64) -> Result<Self, Fault> {
        let unusable = |error: RedisError| StorageError::unusable(format!("redis.url cannot be used: {}", error.category()));
        Ok(Self {
            client: Client::open(url).map_err(unusable)?,
            prefix: prefix.to_owned(),
            timeout: Duration::from_millis(timeout_ms.max(1)),
            idle: Mutex::new(Vec::new()),
            put_new: Script::new(PUT_NEW),
            count: Script::new(COUNT),
        })
    }

    /// Like [`new`](Self::new), and a passing fault when the server does not answer now.
    pub fn connect(url: &str, prefix: &str, timeout_ms: u64) -> Result<Self, Fault> {
        let ephemeral = Self::new(url, prefix, timeout_ms)?;
        ephemeral.ping()?;
        Ok(ephemeral)
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(self.timeout)?;
        connection.set_read_timeout(Some(self.timeout))?;
        connection.set_write_timeout(Some(self.timeout))?;
        Ok(connection)
    }

    /// Runs a step. A connection that had been dropped while it was kept (the server restarted) is replaced once; a step whose
    /// answer did not come in time is not repeated.
    fn run<T>(&self, doing: &'static str, step: impl Fn(&mut Connection) -> RedisResult<T>) -> Result<T, Fault> {
        let fault = |source: RedisError| Fault::passing(StorageError::Redis { doing, source });
        let kept = self.idle().pop();
        if let Some(connection) = kept {
            match self.on(connection, &step) {
                Err(error) if error.is_connection_dropped() => self.idle().clear(),
                done => return done.map_err(fault),
            }
        }
        let connection = self.open().map_err(fault)?;
        self.on(connection, &step).map_err(fault)
    }

    /// Keeps the connection only if no answer can still be on its way: a late one would be read as the next step's.
    fn on<T>(&self, mut connection: Connection, step: &impl Fn(&mut Connection) -> RedisResult<T>) -> RedisResult<T> {
        let done = step(&mut connection);
        if done.is_ok() {
            let mut idle = self.idle();
            if idle.len() < KEPT {
                idle.push(connection);
            }
        }
        done
    }
}

/// Seconds since 1970 as text of fixed width; times before count as 0.
fn stamp(time: UnixTime) -> String {
    format!("{:0STAMP$}", time.0.clamp(0, 9_999_999_999_999_999))
}

fn stamped(value: &[u8], expires_at: UnixTime) -> Vec<u8> {
    let mut stamped = stamp(expires_at).into_bytes();
    stamped.extend_from_slice(value);
    stamped
}

/// The value, if it lives by the caller's clock.
fn unstamped(stored: Option<Vec<u8>>, now: UnixTime) -> Option<Vec<u8>> {
    let stored = stored?;
    let (expires_at, value) = stored.split_at_checked(STAMP)?;
    (expires_at > stamp(now).as_bytes()).then(|| value.to_vec())
}

impl Ephemeral for RedisEphemeral {
    fn put(&self, key: &str, value: &[u8], lifetime: i64, now: UnixTime) -> Result<(), Fault> {
        let (key, value) = (self.key(key), stamped(value, now.plus(lifetime)));
        self.run("keeping an entry", |c| redis::cmd("SET").arg(&key).arg(&value).arg("EX").arg(lifetime.max(1)).query(c))
    }

    fn put_new(&self, key: &str, value: &[u8], lifetime: i64, now: UnixTime) -> Result<bool, Fault> {
        let (key, value) = (self.key(key), stamped(value, now.plus(lifetime)));
        self.run("keeping a new entry", |c| self.put_new.key(&key).arg(&value).arg(lifetime.max(1)).arg(stamp(now)).invoke(c))
    }

    fn get(&self, key: &str, now: UnixTime) -> Result<Option<Vec<u8>>, Fault> {
        let key = self.key(key);
        let stored = self.run("reading an entry", |c| redis::cmd("GET").arg(&key).query(c))?;
        Ok(unstamped(stored, now))
    }

    fn take(&self, key: &str, now: UnixTime) -> Result<Option<Vec<u8>>, Fault> {
        let key = self.key(key);
        let stored = self.run("taking an entry", |c| redis::cmd("GETDEL").arg(&key).query(c))?;
        Ok(unstamped(stored, now))
    }

    fn count(&self, key: &str, by: i64, lifetime: i64, now: UnixTime) -> Result<i64, Fault> {
        let key = self.key(key);
        self.run("counting", |c| self.count.key(&key).arg(by).arg(stamp(now.plus(lifetime))).arg(lifetime.max(1)).arg(stamp(now)).invoke(c))
    }

    /// Redis expires by itself.
    fn sweep(&self, _now: UnixTime) -> Result<usize, Fault> {
        Ok(0)
    }

    fn ping(&self) -> Result<(), Fault> {
        self.run("pinging", |c| redis::cmd("PING").query::<String>(c)).map(drop)
    }
}
