//! Rows of another database, as `dumpdata` writes them, and the values inside them.

use crate::time::UnixTime;
use propusk_crypto::digest;
use propusk_protocol::limits::holds_nul;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The model, in lower case: `auth.user`.
    pub model: String,
    /// The primary key as text.
    pub key: String,
    /// The columns.
    pub fields: Map<String, Value>,
}

impl Record {
    /// Reads one element of a dump; the reason why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        let Value::Object(mut members) = value else { return Err("not an object".to_owned()) };
        let model = members.get("model").and_then(Value::as_str).ok_or("it has no model")?.to_lowercase();
        let key = members.get("pk").and_then(key_text).unwrap_or_default();
        let Some(Value::Object(fields)) = members.remove("fields") else { return Err("it has no fields".to_owned()) };
        Ok(Self { model, key, fields })
    }

    /// Whether a text in it contains U+0000. Django's own forms refuse that, and PostgreSQL cannot keep it.
    pub fn holds_nul(&self) -> bool {
        self.key.contains('\0') || self.fields.values().any(holds_nul)
    }

    /// A column, or the same under its name in the database (`user_id` for `user`); absent and null alike are `None`.
    pub fn value(&self, name: &str) -> Option<&Value> {
        let column = || self.fields.get(&format!("{name}_id"));
        self.fields.get(name).or_else(column).filter(|value| !value.is_null())
    }

    /// A text column.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(Value::as_str)
    }

    /// A text column without white space at its ends; an empty one is `None`.
    pub fn trimmed(&self, name: &str) -> Option<&str> {
        self.text(name).map(str::trim).filter(|text| !text.is_empty())
    }

    /// A truth value; SQLite keeps them as numbers.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) => Some(number.as_i64()? != 0),
            _ => None,
        }
    }

    /// A moment.
    pub fn time(&self, name: &str) -> Option<UnixTime> {
        self.text(name).and_then(parse_time)
    }

    /// The key that a foreign key names.
    pub fn reference(&self, name: &str) -> Option<String> {
        self.value(name).and_then(key_text)
    }

    /// The keys of a many-to-many column, or the single texts of natural keys.
    pub fn references(&self, name: &str) -> Vec<String> {
        let Some(Value::Array(values)) = self.value(name) else { return Vec::new() };
        values.iter().filter_map(|value| value.as_array().map_or_else(|| key_text(value), |natural| natural.first().and_then(key_text))).collect()
    }
}

/// A key as text: a number, a text, a UUID.
pub fn key_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Primary keys that have come, as 64 bits of a digest each.
#[derive(Debug, Default)]
pub struct SeenKeys(HashSet<u64>);

impl SeenKeys {
    /// Whether the key is new. A record without one is told apart from nothing, so it always is.
    pub fn insert(&mut self, key: &str) -> bool {
        key.is_empty() || self.0.insert(short_digest(key))
    }
}

/// 64 bits of a digest: what a name is remembered by while a large dump is read.
pub(super) fn short_digest(text: &str) -> u64 {
    digest(text).bytes().take(11).fold(0, |sum, byte| sum.wrapping_mul(67).wrapping_add(u64::from(byte)))
}

/// `2026-11-20T12:00:00.123Z`, `2026-11-20 12:00:00+03:00`, or without a zone (UTC then).
fn parse_time(text: &str) -> Option<UnixTime> {
    let (date, rest) = text.split_once(['T', ' '])?;
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at_checked(zone_at)?;
    let clock = clock.split('.').next()?;
    let [year, month, day] = numbers(date, '-')?;
    let [hours, minutes, seconds] = numbers(clock, ':')?;
    let sound = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day) && hours < 24 && minutes < 60 && seconds < 61;
    let shift = zone_shift(zone)?;
    sound.then(|| UnixTime(days_from_civil(year, month, day) * 86_400 + hours * 3600 + minutes * 60 + seconds - shift))
}

/// Seconds east of UTC.
fn zone_shift(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 = digits.get(2..4).map_or(Ok(0), str::parse).ok()?;
    Some(sign * (hours * 3600 + minutes * 60))
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let parts: Vec<i64> = text.split(separator).map(|part| part.parse::<u16>().ok().map(i64::from)).collect::<Option<_>>()?;
    parts.try_into().ok()
}

/// Days since the epoch of a date in the proleptic Gregorian calendar.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_the_forms_of_a_dump_and_of_both_databases() {
        let noon = Some(UnixTime(1_795_176_000));
        for text in [
            "2026-11-20T12:00:00Z",
            "2026-11-20T12:00:00.999Z",
            "2026-11-20 12:00:00.123456",
            "2026-11-20T15:00:00+03:00",
            "2026-11-20 08:30:00-03:30",
        ] {
            assert_eq!(parse_time(text), noon, "{text}");
        }
        for text in ["", "yesterday", "2026-11-20", "2026-13-01T00:00:00Z", "2026-11-20T25:00:00Z", "2026-11-20T12:00Z"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn a_record_answers_by_the_names_of_a_dump_and_of_a_database() {
        let record =
            Record::parse(r#"{"model":"Auth.User","pk":7,"fields":{"user_id":5,"is_active":1,"groups":[1,["editors"]],"email":null}}"#).unwrap();
        assert_eq!((record.model.as_str(), record.key.as_str()), ("auth.user", "7"));
        assert_eq!(record.reference("user").as_deref(), Some("5"));
        assert_eq!(record.flag("is_active"), Some(true));
        assert_eq!(record.references("groups"), ["1", "editors"]);
        assert_eq!(record.text("email"), None);
        for broken in ["", "[]", "{}", r#"{"model":"a.b"}"#, r#"{"model":1,"pk":1,"fields":{}}"#, "{\"model\":\"a.b\",\"fields\":{"] {
            assert!(Record::parse(broken).is_err(), "{broken}");
        }
    }
}
