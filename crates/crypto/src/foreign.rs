//! Password hashes that another site made, in the forms of Django's `django.contrib.auth.hashers`: verified as they are
//! within limits, and replaced by Argon2id at the first right password.
//!
//! | stored | what it is |
//! |---|---|
//! | `pbkdf2_sha256$ROUNDS$SALT$BASE64`, `pbkdf2_sha1$…` | PBKDF2 (RFC 8018 §5.2) |
//! | `argon2$argon2id$v=19$m=…,t=…,p=…$SALT$HASH` | Argon2 (RFC 9106), any variant |
//! | `bcrypt$$2b$COST$…`, `bcrypt_sha256$$2b$COST$…` | bcrypt of the password, or of its SHA-256 in hexadecimal |
//! | `scrypt$N$SALT$R$P$BASE64` | scrypt (RFC 7914) |
//! | `wrapped_md5$SALT$argon2id$…`, `wrapped_sha1$…` | Argon2id over a hash that is too weak to be stored; made here |

use std::num::NonZeroU32;

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Argon2, Params, Version};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq;

/// The most rounds of PBKDF2: about two seconds.
const MAX_ROUNDS: u32 = 5_000_000;

/// The most memory and passes of a foreign Argon2 hash.
const MAX_ARGON2_KIB: u32 = 256 * 1024;
const MAX_ARGON2_PASSES: u32 = 10;
const MAX_ARGON2_LANES: u32 = 16;

/// The most memory of scrypt in bytes (128·N·r), and how often it may be filled.
const MAX_SCRYPT_BYTES: u64 = 128 * 1024 * 1024;
const MAX_SCRYPT_PARALLELISM: u32 = 16;

/// The highest cost of bcrypt: about a second.
const MAX_BCRYPT_COST: u32 = 14;

/// The longest text that can be a password hash; Django's column holds 128 characters, custom ones more.
const MAX_BYTES: usize = 1024;

/// How a foreign hash is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// PBKDF2 with HMAC-SHA-256.
    Pbkdf2Sha256,
    /// PBKDF2 with HMAC-SHA-1.
    Pbkdf2Sha1,
    /// Argon2 in another site's parameters.
    Argon2,
    /// bcrypt over a SHA-256.
    BcryptSha256,
    /// bcrypt.
    Bcrypt,
    /// scrypt.
    Scrypt,
    /// Argon2id over an MD5.
    WrappedMd5,
    /// Argon2id over a SHA-1.
    WrappedSha1,
}

impl Scheme {
    /// Every scheme.
    pub const ALL: [Self; 8] =
        [Self::Pbkdf2Sha256, Self::Pbkdf2Sha1, Self::Argon2, Self::BcryptSha256, Self::Bcrypt, Self::Scrypt, Self::WrappedMd5, Self::WrappedSha1];

    /// What the stored text begins with, up to the first `$`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pbkdf2Sha256 => "pbkdf2_sha256",
            Self::Pbkdf2Sha1 => "pbkdf2_sha1",
            Self::Argon2 => "argon2",
            Self::BcryptSha256 => "bcrypt_sha256",
            Self::Bcrypt => "bcrypt",
            Self::Scrypt => "scrypt",
            Self::WrappedMd5 => "wrapped_md5",
            Self::WrappedSha1 => "wrapped_sha1",
        }
    }
}

/// A foreign hash, parsed and found affordable.
pub struct ForeignHash {
    scheme: Scheme,
    form: Form,
}

enum Form {
    Pbkdf2 {
        rounds: NonZeroU32,
        salt: String,
        hash: Vec<u8>,
    },
    Argon2(ForeignArgon2),
    Bcrypt {
        cost: u32,
        hash: String,
    },
    Scrypt {
        params: scrypt::Params,
        cost: String,
        salt: String,
        hash: Vec<u8>,
    },
    /// The hash inside is checked by Argon2id of this server: the salt of the weak hash, and a PHC string.
    Wrapped {
        salt: String,
        phc: String,
    },
}

struct ForeignArgon2 {
    argon2: Argon2<'static>,
    cost: String,
    salt: Salt,
    hash: Output,
}

/// What a stored password of another site is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// Kept as it is; `cost` names scheme and parameters, without salt and hash.
    Accepted {
        /// `pbkdf2_sha256$600000`, `bcrypt$12`, …
        cost: String,
    },
    /// Too weak to be stored: to be wrapped in Argon2id.
    Weak(WeakHash),
    /// There is no password (`!…`, or nothing).
    Unusable,
    /// Neither kept nor wrapped, and why.
    Refused(&'static str),
}

/// An MD5 or a SHA-1 of salt and password.
#[derive(Clone, PartialEq, Eq)]
pub struct WeakHash {
    scheme: Scheme,
    salt: String,
    /// Lower-case hexadecimal.
    hex: String,
}

impl std::fmt::Debug for WeakHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WeakHash").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl WeakHash {
    /// The scheme under which it is stored.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// What Argon2id is computed over.
    pub(crate) fn hex(&self) -> &str {
        &self.hex
    }

    /// The form to store, given the Argon2id of [`Self::hex`].
    pub(crate) fn wrapped(&self, phc: &str) -> String {
        format!("{}${}{phc}", self.scheme.as_str(), self.salt)
    }
}

/// Judges a password column of another site.
pub fn judge(encoded: &str) -> Judged {
    if encoded.is_empty() || encoded.starts_with('!') {
        return Judged::Unusable;
    }
    if encoded.len() > MAX_BYTES {
        return Judged::Refused("the text is too long for a password hash");
    }
    // No hasher writes one, and PostgreSQL takes no NUL.
    if encoded.chars().any(char::is_control) {
        return Judged::Refused("the text has control characters");
    }
    if let Some(weak) = weak(encoded) {
        return Judged::Weak(weak);
    }
    // Only this server wraps; a site that stored such a text would bring a weak hash in by another name.
    match ForeignHash::parse(encoded) {
        Ok(hash) if matches!(hash.form, Form::Wrapped { .. }) => Judged::Refused("the scheme is unknown"),
        Ok(hash) => Judged::Accepted { cost: hash.cost() },
        Err(reason) => Judged::Refused(reason),
    }
}

/// `md5$SALT$HEX`, `sha1$SALT$HEX`, and 32 hexadecimal digits without a salt.
fn weak(encoded: &str) -> Option<WeakHash> {
    let of = |scheme, salt: &str, hex: &str| WeakHash { scheme, salt: salt.to_owned(), hex: hex.to_ascii_lowercase() };
    let is_hex = |hex: &str, length| hex.len() == length && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex(encoded, 32) {
        return Some(of(Scheme::WrappedMd5, "", encoded));
    }
    let mut parts = encoded.split('$');
    let (algorithm, salt, hex) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    match algorithm {
        "md5" | "unsalted_md5" if is_hex(hex, 32) => Some(of(Scheme::WrappedMd5, salt, hex)),
        "sha1" | "unsalted_sha1" if is_hex(hex, 40) => Some(of(Scheme::WrappedSha1, salt, hex)),
        _ => None,
    }
}

impl ForeignHash {
    /// Whether a stored text is of this kind rather than a PHC string of this server.
    pub fn is_foreign(stored: &str) -> bool {
        !stored.starts_with('$')
    }

    /// Takes a stored text apart; the reason why it cannot be verified here.
    pub fn parse(stored: &str) -> Result<Self, &'static str> {
        let (name, rest) = stored.split_once('$').ok_or("this is no password hash")?;
        let scheme = Scheme::ALL.into_iter().find(|scheme| scheme.as_str() == name).ok_or("the scheme is unknown")?;
        let form = match scheme {
            Scheme::Pbkdf2Sha256 => parse_pbkdf2(rest, 32)?,
            Scheme::Pbkdf2Sha1 => parse_pbkdf2(rest, 20)?,
            Scheme::Argon2 => parse_argon2(rest)?,
            Scheme::Bcrypt | Scheme::BcryptSha256 => parse_bcrypt(rest)?,
            Scheme::Scrypt => parse_scrypt(rest)?,
            Scheme::WrappedMd5 | Scheme::WrappedSha1 => {
                let (salt, phc) = rest.split_once('$').ok_or("the hash is damaged")?;
                Form::Wrapped { salt: salt.to_owned(), phc: format!("${phc}") }
            }
        };
        Ok(Self { scheme, form })
    }

    /// How it is computed.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Scheme and parameters, without salt and hash.
    pub fn cost(&self) -> String {
        let name = self.scheme.as_str();
        match &self.form {
            Form::Pbkdf2 { rounds, .. } => format!("{name}${rounds}"),
            Form::Argon2(argon2) => format!("{name}${}", argon2.cost),
            Form::Bcrypt { cost, .. } => format!("{name}${cost}"),
            Form::Scrypt { cost, .. } => format!("{name}${cost}"),
            Form::Wrapped { .. } => name.to_owned(),
        }
    }

    /// The Argon2id string inside a wrapped hash, and what has to be verified against it.
    pub(crate) fn unwrapped(&self, password: &str) -> Option<(String, &str)> {
        let Form::Wrapped { salt, phc } = &self.form else { return None };
        let salted = [salt.as_bytes(), password.as_bytes()].concat();
        let hex = if self.scheme == Scheme::WrappedMd5 {
            hexadecimal(&Md5::digest(&salted))
        } else {
            hexadecimal(digest(&SHA1_FOR_LEGACY_USE_ONLY, &salted).as_ref())
        };
        Some((hex, phc))
    }

    /// Whether `password` is the one; `None` when the library refuses to compute. Not for wrapped hashes.
    pub(crate) fn matches(&self, password: &str) -> Option<bool> {
        let password = password.as_bytes();
        match &self.form {
            Form::Pbkdf2 { rounds, salt, hash } => {
                let algorithm = if self.scheme == Scheme::Pbkdf2Sha1 { pbkdf2::PBKDF2_HMAC_SHA1 } else { pbkdf2::PBKDF2_HMAC_SHA256 };
                Some(pbkdf2::verify(algorithm, *rounds, salt.as_bytes(), password, hash).is_ok())
            }
            Form::Argon2(foreign) => {
                let mut output = vec![0; foreign.hash.len()];
                foreign.argon2.hash_password_into(password, &foreign.salt, &mut output).ok()?;
                Some(output.ct_eq(foreign.hash.as_bytes()).into())
            }
            Form::Bcrypt { hash, .. } if self.scheme == Scheme::BcryptSha256 => {
                bcrypt::verify(hexadecimal(digest(&SHA256, password).as_ref()), hash).ok()
            }
            // Only the first 72 bytes ever counted.
            Form::Bcrypt { hash, .. } => bcrypt::verify(password, hash).ok(),
            Form::Scrypt { params, salt, hash, .. } => {
                let mut output = vec![0; hash.len()];
                scrypt::scrypt(password, salt.as_bytes(), params, &mut output).ok()?;
                Some(output.ct_eq(hash).into())
            }
            Form::Wrapped { .. } => None,
        }
    }

    /// A hash of nobody that costs as much as the ones of `cost`; `None` for a wrapped one, which costs what ours do.
    pub fn decoy(cost: &str) -> Option<Self> {
        let (name, rest) = cost.split_once('$')?;
        let base64 = |bytes: usize| STANDARD.encode(vec![0_u8; bytes]);
        let stored = match name {
            "pbkdf2_sha256" => format!("{cost}$nobodynobodynobodynob${}", base64(32)),
            "pbkdf2_sha1" => format!("{cost}$nobodynobodynobodynob${}", base64(20)),
            "argon2" => format!("{cost}$bm9ib2R5bm9ib2R5bm9ib2R5${}", "A".repeat(43)),
            "bcrypt" | "bcrypt_sha256" => format!("{name}$$2b${rest:0>2}${}", ".".repeat(53)),
            "scrypt" => {
                let (n, lanes) = rest.split_once('$')?;
                format!("scrypt${n}$nobodynobodynobodynob${lanes}${}", base64(64))
            }
            _ => return None,
        };
        Self::parse(&stored).ok()
    }
}

fn parse_pbkdf2(rest: &str, bytes: usize) -> Result<Form, &'static str> {
    let [rounds, salt, hash] = fields(rest)?;
    let rounds = decimal(rounds).and_then(NonZeroU32::new).ok_or("the hash is damaged")?;
    if rounds.get() > MAX_ROUNDS {
        return Err("more than 5,000,000 rounds of PBKDF2");
    }
    Ok(Form::Pbkdf2 { rounds, salt: salted(salt)?, hash: decoded(hash, bytes)? })
}

/// `argon2id$v=19$m=…`: a PHC string without its first `$`.
fn parse_argon2(rest: &str) -> Result<Form, &'static str> {
    const DAMAGED: &str = "the hash is damaged";
    let phc = format!("${rest}");
    let parsed = PasswordHash::new(&phc).map_err(|_| DAMAGED)?;
    let algorithm = argon2::Algorithm::try_from(parsed.algorithm.as_str()).map_err(|_| "the variant of Argon2 is unknown")?;
    let version = parsed.version.map_or(Ok(Version::V0x10), Version::try_from).map_err(|_| "the version of Argon2 is unknown")?;
    let params = Params::try_from(&parsed).map_err(|_| DAMAGED)?;
    if params.m_cost() > MAX_ARGON2_KIB || params.t_cost() > MAX_ARGON2_PASSES || params.p_cost() > MAX_ARGON2_LANES {
        return Err("Argon2 with more than 256 MiB, 10 passes or 16 lanes");
    }
    let (salt, hash) = (parsed.salt.ok_or(DAMAGED)?, parsed.hash.ok_or(DAMAGED)?);
    let cost = rest.splitn(4, '$').take(3).collect::<Vec<_>>().join("$");
    // A string without a version has its parameters one field earlier.
    let cost = if parsed.version.is_some() { cost } else { rest.splitn(3, '$').take(2).collect::<Vec<_>>().join("$") };
    Ok(Form::Argon2(ForeignArgon2 { argon2: Argon2::new(algorithm, version, params), cost, salt, hash }))
}

fn parse_bcrypt(rest: &str) -> Result<Form, &'static str> {
    const DAMAGED: &str = "the hash is damaged";
    let parts: bcrypt::HashParts = rest.parse().map_err(|_| DAMAGED)?;
    let cost = parts.get_cost();
    if cost > MAX_BCRYPT_COST {
        return Err("bcrypt with a cost above 14");
    }
    Ok(Form::Bcrypt { cost, hash: rest.to_owned() })
}

fn parse_scrypt(rest: &str) -> Result<Form, &'static str> {
    const DAMAGED: &str = "the hash is damaged";
    let [n, salt, r, p, hash] = fields(rest)?;
    let (n, r, p) = (decimal(n).ok_or(DAMAGED)?, decimal(r).ok_or(DAMAGED)?, decimal(p).ok_or(DAMAGED)?);
    if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 {
        return Err(DAMAGED);
    }
    if 128 * u64::from(n) * u64::from(r) > MAX_SCRYPT_BYTES || p > MAX_SCRYPT_PARALLELISM {
        return Err("scrypt with more than 128 MiB, or filled more than 16 times");
    }
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| DAMAGED)?;
    let params = scrypt::Params::new(log_n, r, p).map_err(|_| DAMAGED)?;
    Ok(Form::Scrypt { params, cost: format!("{n}${r}${p}"), salt: salted(salt)?, hash: decoded(hash, 64)? })
}

fn fields<const N: usize>(text: &str) -> Result<[&str; N], &'static str> {
    let parts: Vec<&str> = text.split('$').collect();
    parts.try_into().map_err(|_| "the hash is damaged")
}

fn decimal(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn salted(salt: &str) -> Result<String, &'static str> {
    if salt.is_empty() { Err("the hash has no salt") } else { Ok(salt.to_owned()) }
}

fn decoded(text: &str, bytes: usize) -> Result<Vec<u8>, &'static str> {
    STANDARD.decode(text).ok().filter(|hash| hash.len() == bytes).ok_or("the hash is damaged")
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
