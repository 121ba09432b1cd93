//! What is counted: one registry a server, so that two servers can live in one process.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

/// One request's labels: no value comes from outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    endpoint: &'static str,
    status: u16,
}

/// A refusal's labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    endpoint: &'static str,
    cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Grant {
    grant_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Table {
    table: &'static str,
}

/// Upper bounds in seconds.
const BUCKETS: [f64; 12] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Every counter of a server.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Endpoint, Histogram>,
    refusals: Family<Refused, Counter>,
    tokens: Family<Grant, Counter>,
    query_tokens: Counter,
    refusals_dropped: Gauge,
    traces_dropped: Gauge,
    backup_age: Gauge,
    backup_failures: Gauge,
    rows: Family<Table, Gauge>,
    hash_waiting: Gauge,
    outbox_depth: Gauge,
    outbox_age: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("propusk");
        let requests = Family::default();
        registry.register("http_requests", "Requests by endpoint and status", Family::clone(&requests));
        let durations = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        registry.register("http_request_duration_seconds", "Time from the first byte to the answer", durations.clone());
        let refusals = Family::default();
        registry.register("refusals", "Refused requests by endpoint and likely cause", Family::clone(&refusals));
        let tokens = Family::default();
        registry.register("tokens_issued", "Access tokens by grant type", Family::clone(&tokens));
        let query_tokens = Counter::default();
        registry.register(
            "query_tokens",
            "Access tokens taken from a query string, which the compatibility switch allows",
            Counter::clone(&query_tokens),
        );
        let refusals_dropped = Gauge::default();
        registry.register("refusals_not_recorded", "Refusals that a flood kept from being recorded", Gauge::clone(&refusals_dropped));
        let traces_dropped = Gauge::default();
        registry.register("trace_steps_not_recorded", "Steps of sign-ins that a flood kept from being recorded", Gauge::clone(&traces_dropped));
        let backup_age = Gauge::default();
        registry.register("backup_age_seconds", "Seconds since the last scheduled backup, -1 when there is none", Gauge::clone(&backup_age));
        let backup_failures = Gauge::default();
        registry.register("backup_failures", "Scheduled backups that failed since the start", Gauge::clone(&backup_failures));
        let rows = Family::default();
        registry.register("table_rows", "Rows of each table", Family::clone(&rows));
        let hash_waiting = Gauge::default();
        registry.register("password_hashes_waiting", "Sign-ins whose password is being hashed or waits for it", Gauge::clone(&hash_waiting));
        let (outbox_depth, outbox_age) = (Gauge::default(), Gauge::default());
        registry.register("outbox_depth", "Deliveries that wait", Gauge::clone(&outbox_depth));
        registry.register("outbox_oldest_seconds", "Age of the oldest delivery that waits", Gauge::clone(&outbox_age));
        Self {
            registry,
            requests,
            durations,
            refusals,
            tokens,
            query_tokens,
            refusals_dropped,
            traces_dropped,
            backup_age,
            backup_failures,
            rows,
            hash_waiting,
            outbox_depth,
            outbox_age,
        }
    }

    /// Counts a request.
    pub fn request(&self, endpoint: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&Request { endpoint, status }).inc();
        self.durations.get_or_create(&Endpoint { endpoint }).observe(took.as_secs_f64());
    }

    /// Counts a refusal.
    pub fn refused(&self, endpoint: &'static str, cause: &'static str) {
        self.refusals.get_or_create(&Refused { endpoint, cause }).inc();
    }

    /// Counts an access token.
    pub fn token(&self, grant_type: &'static str) {
        self.tokens.get_or_create(&Grant { grant_type }).inc();
    }

    /// Counts a token in a query string.
    pub fn query_token(&self) {
        self.query_tokens.inc();
    }

    /// Notes how many deliveries wait, and the age of the oldest in seconds.
    pub fn outbox(&self, depth: i64, age: i64) {
        self.outbox_depth.set(depth);
        self.outbox_age.set(age);
    }

    /// How many steps of sign-ins a flood kept from being recorded.
    pub fn traces_dropped(&self, count: u64) {
        self.traces_dropped.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The age of the last scheduled backup in seconds (-1 when there is none), and how many have failed.
    pub fn backups(&self, age: i64, failures: u64) {
        self.backup_age.set(age);
        self.backup_failures.set(i64::try_from(failures).unwrap_or(i64::MAX));
    }

    /// The text that a Prometheus server reads.
    pub fn render(&self, sizes: &[(&'static str, i64)], refusals_dropped: u64, hash_waiting: usize) -> String {
        for (table, rows) in sizes {
            self.rows.get_or_create(&Table { table }).set(*rows);
        }
        self.refusals_dropped.set(i64::try_from(refusals_dropped).unwrap_or(i64::MAX));
        self.hash_waiting.set(i64::try_from(hash_waiting).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a String does not fail.
        let _infallible = encode(&mut text, &self.registry);
        text
    }
}
