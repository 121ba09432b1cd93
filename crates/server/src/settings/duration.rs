//! Seconds as people write them: `600`, `"600"`, `"10m"`, `"14d"`.

use std::time::Duration;

use serde::Serializer;

/// Units, greatest first, so that [`format`] finds the shortest form.
const UNITS: [(&str, i64); 5] = [("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

/// Seconds; `None` for anything but digits with at most one unit of `s m h d w`.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let (digits, unit) = UNITS.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds))).unwrap_or((text, 1));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<i64>().ok()?.checked_mul(unit)
}

/// The shortest form that [`parse`] reads back. Weeks are left out: 14 days read better than 2 weeks.
pub(super) fn format(seconds: i64) -> String {
    let (unit, size) = UNITS.iter().skip(1).find(|(_, size)| seconds != 0 && seconds % size == 0).copied().unwrap_or(("s", 1));
    format!("{}{unit}", seconds / size)
}

/// `serialize_with` of a field in seconds.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
pub(super) fn serialize<S: Serializer>(seconds: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*seconds))
}

/// `serialize_with` of a field that is a [`Duration`] of whole seconds.
pub(super) fn serialize_timer<S: Serializer>(timer: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(i64::try_from(timer.as_secs()).unwrap_or(i64::MAX)))
}
