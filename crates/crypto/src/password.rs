//! Passwords: Argon2id (RFC 9106) with bounded parallelism and memory that is allocated once.
//!
//! A fresh 19 MiB block for each hash left 1.2 to 2.0 GB resident under glibc after 200 hashes; two pooled blocks hold 44 MB
//! and hash 5 to 10 % faster. The blocks are reserved at the start and touched by the first sign-in.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::CryptoError;
use crate::foreign::{ForeignHash, Scheme, WeakHash};
use crate::random::Random;

/// The longest password in bytes. Argon2 takes more; a form should not be able to make it read megabytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Bytes of salt and of output: RFC 9106 §4 recommends 16 and 32.
const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// The most expensive hash that is ever computed. A stored or configured one beyond it would stop the service at each sign-in.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_ITERATIONS: u32 = 64;
const MAX_PARALLELISM: u32 = 16;

/// The cost of one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordParams {
    /// Memory in KiB; 8 to 1,048,576.
    pub memory_kib: u32,
    /// Passes over the memory; 1 to 64.
    pub iterations: u32,
    /// Lanes; 1 to 16. They are computed one after the other.
    pub parallelism: u32,
}

impl Default for PasswordParams {
    /// 19 MiB, two passes, one lane: about 15 ms on the reference machine.
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right; `rehash` asks for a new hash, because the stored one is weaker than the present parameters.
    Right {
        /// Whether the password should be hashed again and stored.
        rehash: bool,
    },
    /// The password is wrong, or there is no such person.
    Wrong,
    /// The stored hash is not an Argon2 PHC string, or one that this process refuses to compute. A fault of the data.
    Unreadable,
}

/// Hashes and verifies, at most `permits` at a time; a caller beyond that waits.
pub struct PasswordHasher {
    params: Params,
    pool: Pool,
    hashes: AtomicU64,
    foreign: [AtomicU64; Scheme::ALL.len()],
}

impl PasswordHasher {
    /// Reserves memory for `permits` (at least one) parallel hashes of the cost `params`, without touching it.
    pub fn new(params: PasswordParams, permits: usize) -> Result<Self, CryptoError> {
        let refused = |reason: String| CryptoError::PasswordParams(reason);
        let PasswordParams { memory_kib, iterations, parallelism } = params;
        let params = Params::new(memory_kib, iterations, parallelism, Some(OUTPUT_BYTES)).map_err(|error| refused(error.to_string()))?;
        if !is_affordable(&params) {
            return Err(refused(format!("at most {MAX_MEMORY_KIB} KiB, {MAX_ITERATIONS} iterations and parallelism {MAX_PARALLELISM}")));
        }
        Ok(Self { pool: Pool::new(permits.max(1), params.block_count()), params, hashes: AtomicU64::new(0), foreign: Default::default() })
    }

    /// A PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`) of `password` as given; 1 to [`MAX_PASSWORD_BYTES`] bytes.
    pub fn hash(&self, password: &str, rng: &dyn Random) -> Result<String, CryptoError> {
        if !is_acceptable(password) {
            return Err(CryptoError::PasswordLength { bytes: password.len() });
        }
        let failed = |error: String| CryptoError::PasswordHash(error);
        let mut salt = [0; SALT_BYTES];
        rng.fill(&mut salt);
        let mut output = Zeroizing::new([0; OUTPUT_BYTES]);
        self.compute(&argon2id(self.params.clone()), password, &salt, output.as_mut_slice()).map_err(|error| failed(error.to_string()))?;
        let phc = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&self.params).map_err(|error| failed(error.to_string()))?,
            salt: Some(Salt::new(&salt).map_err(|error| failed(error.to_string()))?),
            hash: Some(Output::new(output.as_slice()).map_err(|error| failed(error.to_string()))?),
        };
        Ok(phc.to_string())
    }

    /// Judges `password` against the stored `phc`, or against nobody's: without a stored hash, and with an unreadable one, a
    /// hash of the present cost is computed all the same, so that time does not tell who exists. A password of impossible
    /// length is wrong at once, for everybody.
    pub fn verify(&self, password: &str, phc: Option<&str>) -> Verdict {
        if !is_acceptable(password) {
            return Verdict::Wrong;
        }
        let Some(phc) = phc else {
            self.spend(password);
            return Verdict::Wrong;
        };
        if ForeignHash::is_foreign(phc) {
            return self.verify_foreign(password, phc);
        }
        let Some(stored) = Stored::parse(phc) else {
            self.spend(password);
            return Verdict::Unreadable;
        };
        let mut output = Zeroizing::new(vec![0; stored.hash.len()]);
        if self.compute(&stored.argon2, password, &stored.salt, &mut output).is_err() {
            return Verdict::Unreadable;
        }
        if !bool::from(output.ct_eq(stored.hash.as_bytes())) {
            return Verdict::Wrong;
        }
        Verdict::Right { rehash: stored.is_weaker_than(&self.params) }
    }

    /// The cost of a verification against nobody while hashes of another site remain: what a hash of `cost` takes.
    pub fn verify_nobody(&self, password: &str, cost: &str) -> Verdict {
        if is_acceptable(password) {
            match ForeignHash::decoy(cost) {
                Some(decoy) => drop(black_box(self.compute_foreign(&decoy, password))),
                None => self.spend(password),
            }
        }
        Verdict::Wrong
    }

    /// The form to store of a hash that is too weak to be stored.
    pub fn wrap(&self, weak: &WeakHash, rng: &dyn Random) -> Result<String, CryptoError> {
        Ok(weak.wrapped(&self.hash(weak.hex(), rng)?))
    }

    /// How many hashes of a foreign scheme this hasher has computed.
    pub fn foreign_computed(&self, scheme: Scheme) -> u64 {
        Scheme::ALL.iter().zip(&self.foreign).find(|(known, _)| **known == scheme).map_or(0, |(_, count)| count.load(Ordering::Relaxed))
    }

    /// A right password asks for a hash of this server's own.
    fn verify_foreign(&self, password: &str, stored: &str) -> Verdict {
        let Ok(foreign) = ForeignHash::parse(stored) else {
            self.spend(password);
            return Verdict::Unreadable;
        };
        if let Some((weak, phc)) = foreign.unwrapped(password) {
            return match self.verify(&weak, Some(phc)) {
                Verdict::Right { .. } => Verdict::Right { rehash: true },
                other => other,
            };
        }
        match self.compute_foreign(&foreign, password) {
            Some(true) => Verdict::Right { rehash: true },
            Some(false) => Verdict::Wrong,
            None => Verdict::Unreadable,
        }
    }

    /// The one place where foreign hashes are computed, as many at once as there are permits.
    fn compute_foreign(&self, foreign: &ForeignHash, password: &str) -> Option<bool> {
        let _permit = self.pool.lease();
        if let Some((_, count)) = Scheme::ALL.iter().zip(&self.foreign).find(|(known, _)| **known == foreign.scheme()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        foreign.matches(password)
    }

    /// How many hashes this hasher has computed.
    pub fn hashes_computed(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    /// The cost of a verification without anything to verify against.
    fn spend(&self, password: &str) {
        let mut output = Zeroizing::new([0; OUTPUT_BYTES]);
        let result = self.compute(&argon2id(self.params.clone()), password, &[0; SALT_BYTES], output.as_mut_slice());
        black_box((result.is_ok(), &output));
    }

    /// The one place where Argon2 runs.
    fn compute(&self, argon2: &Argon2<'_>, password: &str, salt: &[u8], output: &mut [u8]) -> argon2::Result<()> {
        let mut lease = self.pool.lease();
        self.hashes.fetch_add(1, Ordering::Relaxed);
        let blocks = argon2.params().block_count();
        if blocks <= self.pool.blocks {
            return argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, lease.memory(blocks));
        }
        // A stored hash that is dearer than the present parameters: rare, so its memory is given back.
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, vec![Block::new(); blocks])
    }
}

impl std::fmt::Debug for PasswordHasher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PasswordHasher").field("params", &self.params).finish_non_exhaustive()
    }
}

/// A stored hash, parsed.
struct Stored {
    argon2: Argon2<'static>,
    algorithm: Algorithm,
    version: Version,
    salt: Salt,
    hash: Output,
}

impl Stored {
    fn parse(phc: &str) -> Option<Self> {
        let parsed = PasswordHash::new(phc).ok()?;
        let algorithm = Algorithm::try_from(parsed.algorithm.as_str()).ok()?;
        // A string without a version is of 1.0, from before versions were written.
        let version = parsed.version.map_or(Ok(Version::V0x10), Version::try_from).ok()?;
        let params = Params::try_from(&parsed).ok()?;
        if !is_affordable(&params) {
            return None;
        }
        let (salt, hash) = (parsed.salt?, parsed.hash?);
        Some(Self { argon2: Argon2::new(algorithm, version, params), algorithm, version, salt, hash })
    }

    fn is_weaker_than(&self, present: &Params) -> bool {
        let stored = self.argon2.params();
        self.algorithm != Algorithm::Argon2id
            || self.version != Version::V0x13
            || stored.m_cost() < present.m_cost()
            || stored.t_cost() < present.t_cost()
            || self.salt.len() < SALT_BYTES
            || self.hash.len() < OUTPUT_BYTES
    }
}

/// The memory blocks; one free buffer is one permit.
struct Pool {
    free: Mutex<Vec<Vec<Block>>>,
    returned: Condvar,
    blocks: usize,
}

impl Pool {
    fn new(permits: usize, blocks: usize) -> Self {
        // Capacity without elements: the kernel gives pages when they are first written.
        let free = (0..permits).map(|_| Vec::with_capacity(blocks)).collect();
        Self { free: Mutex::new(free), returned: Condvar::new(), blocks }
    }

    fn lease(&self) -> Lease<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(buffer) = free.pop() {
                return Lease { pool: self, buffer };
            }
            free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A borrowed buffer, given back on drop, also while unwinding.
struct Lease<'a> {
    pool: &'a Pool,
    buffer: Vec<Block>,
}

impl Lease<'_> {
    /// The first `blocks` blocks, zeroed by the allocator or holding an earlier hash's state: Argon2 writes each block before
    /// it reads it.
    fn memory(&mut self, blocks: usize) -> &mut [Block] {
        if self.buffer.len() < blocks {
            self.buffer.resize(blocks, Block::new());
        }
        self.buffer.get_mut(..blocks).unwrap_or_default()
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        self.pool.returned.notify_one();
    }
}

fn argon2id(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn is_acceptable(password: &str) -> bool {
    (1..=MAX_PASSWORD_BYTES).contains(&password.len())
}

fn is_affordable(params: &Params) -> bool {
    params.m_cost() <= MAX_MEMORY_KIB && params.t_cost() <= MAX_ITERATIONS && params.p_cost() <= MAX_PARALLELISM
}

#[cfg(test)]
mod tests;
