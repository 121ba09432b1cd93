//! `[password]`, `[login]` and `[brand]`: what signing in costs, how guessing is slowed, and how the pages look.

use propusk_crypto::password::PasswordParams;
use propusk_domain::throttle::Thresholds;
use serde::Serialize;

use super::duration;
use super::section::Section;
use crate::pages::brand::{Brand, BrandError};

/// The cost of a password hash (Argon2id, RFC 9106) and how many are computed at a time.
#[derive(Debug, Clone, Serialize)]
pub struct PasswordSettings {
    /// Memory of one hash in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
    /// Hashes computed at a time; 0 for as many as cores.
    pub permits: usize,
    /// Sign-ins that wait for a permit; one more is answered 503 with `Retry-After`.
    pub queue: usize,
    /// Characters that a new password has at least.
    pub min_length: usize,
    /// How hard a new password is to guess at least: zxcvbn's score, 0 to 4.
    pub min_score: u8,
}

/// The sign-in page, and how guessing is slowed.
#[derive(Debug, Clone, Serialize)]
pub struct LoginSettings {
    /// How long a sign-in page stays usable, in seconds.
    #[serde(serialize_with = "duration::serialize")]
    pub flow_lifetime: i64,
    /// Attempts on one account from one address before pauses begin.
    pub account_at_address: i64,
    /// Attempts on one account from everywhere before pauses begin.
    pub account: i64,
    /// Accounts tried from one address before pauses begin.
    pub address: i64,
    /// The longest pause between two attempts, in seconds.
    #[serde(serialize_with = "duration::serialize")]
    pub longest_pause: i64,
}

/// How the pages look.
#[derive(Debug, Clone, Serialize)]
pub struct BrandSettings {
    /// The community's name; `None` for the service's own name in the page's language.
    pub name: Option<String>,
    /// A path of this origin or a `data:image/…` URL; `None` for the built-in logo.
    pub logo_url: Option<String>,
    /// `#rrggbb`; `None` for the built-in colour.
    pub accent: Option<String>,
}

impl PasswordSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        let settings = Self {
            memory_kib: section.integer("memory_kib", 19_456, 8..=1024 * 1024),
            iterations: section.integer("iterations", 2, 1..=64),
            parallelism: section.integer("parallelism", 1, 1..=16),
            permits: section.integer("permits", 0, 0..=256),
            queue: section.integer("queue", 64, 1..=10_000),
            min_length: section.integer("min_length", 8, 1..=1024),
            min_score: section.integer("min_score", 2, 0..=4),
        };
        if settings.memory_kib < 8 * settings.parallelism {
            section.problem("memory_kib", "must be at least eight times `password.parallelism`".to_owned());
        }
        settings
    }

    /// The cost as the hasher takes it.
    pub fn params(&self) -> PasswordParams {
        PasswordParams { memory_kib: self.memory_kib, iterations: self.iterations, parallelism: self.parallelism }
    }

    /// Hashes computed at a time: at least one.
    pub fn permits(&self) -> usize {
        match self.permits {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            permits => permits,
        }
    }
}

impl LoginSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        let default = Thresholds::default();
        let settings = Self {
            flow_lifetime: section.seconds("flow_lifetime", 3600, 60..=86_400),
            account_at_address: section.integer("account_at_address", default.account_at_address, 1..=1_000_000),
            account: section.integer("account", default.account, 1..=1_000_000),
            address: section.integer("address", default.address, 1..=1_000_000),
            longest_pause: section.seconds("longest_pause", default.longest_pause, 1..=60),
        };
        if settings.account < settings.account_at_address {
            section.problem("account", "must not be less than `login.account_at_address`, which would then never count".to_owned());
        }
        settings
    }

    /// When pauses begin, as the rules take it.
    pub fn thresholds(&self) -> Thresholds {
        Thresholds { account_at_address: self.account_at_address, account: self.account, address: self.address, longest_pause: self.longest_pause }
    }
}

impl BrandSettings {
    pub(super) fn read(section: &mut Section) -> Self {
        let settings = Self { name: section.text("name"), logo_url: section.text("logo_url"), accent: section.text("accent") };
        let brand = Brand::new(settings.name.as_deref(), settings.logo_url.as_deref(), settings.accent.as_deref());
        for problem in brand.err().into_iter().flatten() {
            let key = match problem {
                BrandError::Name => "name",
                BrandError::Logo => "logo_url",
                BrandError::Accent => "accent",
            };
            let sentence = problem.to_string();
            section.problem(key, sentence.split_once(": ").map_or(sentence.as_str(), |(_, sentence)| sentence).to_owned());
        }
        settings
    }
}
