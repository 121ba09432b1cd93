//! Identifiers.

use crate::time::UnixTime;
use propusk_crypto::Random;
use propusk_crypto::random::token;

/// Crockford's base 32, lower case: sorts as its bits do.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A 25-character identifier that begins with the time, so that an index over many of them grows at one end:
/// 35 bits of seconds and 90 random bits.
pub fn sortable(now: UnixTime, rng: &dyn Random) -> String {
    let mut random = [0_u8; 18];
    rng.fill(&mut random);
    let seconds = now.0.max(0).cast_unsigned();
    let time = (0..7).rev().map(|place| (seconds >> (5 * place)) & 31);
    let rest = random.iter().map(|byte| u64::from(byte & 31));
    time.chain(rest).filter_map(|index| ALPHABET.get(usize::try_from(index).ok()?)).map(|b| char::from(*b)).collect()
}

/// A 25-character identifier that sorts by a moment in microseconds: 35 bits of seconds, 20 of microseconds and 70 random ones.
pub fn ordered(micros: u64, rng: &dyn Random) -> String {
    let mut random = [0_u8; 14];
    rng.fill(&mut random);
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    let time = (0..7).rev().map(|place| (seconds >> (5 * place)) & 31).chain((0..4).rev().map(|place| (rest >> (5 * place)) & 31));
    let random = random.iter().map(|byte| u64::from(byte & 31));
    time.chain(random).filter_map(|index| ALPHABET.get(usize::try_from(index).ok()?)).map(|b| char::from(*b)).collect()
}

/// A random identifier of 128 bits: subjects, `sid`.
pub fn random(rng: &dyn Random) -> String {
    token(rng, 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use propusk_crypto::SystemRandom;

    #[test]
    fn later_identifiers_sort_after_earlier_ones() {
        let at = |seconds| sortable(UnixTime(seconds), &SystemRandom);
        assert!(at(1_795_219_200) < at(1_795_219_201));
        let exact = |micros| ordered(micros, &SystemRandom);
        assert!(exact(1_795_219_200_999_999) < exact(1_795_219_201_000_000) && exact(1_795_219_201_000_000) < exact(1_795_219_201_000_001));
        assert!(at(1_795_219_200) < exact(1_795_219_201_000_000) && exact(1_795_219_200_000_000) < at(1_795_219_201));
        assert_eq!(exact(5).len(), 25);
        assert_eq!(at(5).len(), 25);
        assert_ne!(at(5), at(5));
    }
}
