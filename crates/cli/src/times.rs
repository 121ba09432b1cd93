//! Moments on the command line: `--since`.

use propusk_domain::UnixTime;

/// `90s`, `30m`, `12h`, `7d` ago; `2026-11-20`, `2026-11-20T12:00:00Z`; or Unix seconds.
pub(crate) fn parse_since(text: &str, now: UnixTime) -> Option<UnixTime> {
    if let Some(seconds) = parse_duration(text) {
        return Some(now.plus(-seconds));
    }
    if let Ok(seconds) = text.parse() {
        return Some(UnixTime(seconds));
    }
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
    let [year, month, day] = numbers(date, '-')?;
    let [hours, minutes, seconds] = numbers(time.strip_suffix('Z')?, ':')?;
    let sound = (1970..=9999).contains(&year) && hours < 24 && minutes < 60 && seconds < 60;
    UnixTime::from_civil(year, month, day).filter(|_| sound).map(|date| date.plus(hours * 3600 + minutes * 60 + seconds))
}

/// `90s`, `30m`, `12h`, `7d` in seconds.
fn parse_duration(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u32 = text.get(..text.len() - 1)?.parse().ok()?;
    i64::from(count).checked_mul(unit)
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let parts: Vec<i64> = text.split(separator).map(|part| part.parse::<u16>().ok().map(i64::from)).collect::<Option<_>>()?;
    parts.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_duration_a_date_or_a_number() {
        let now = UnixTime(1_795_219_200);
        let cases = [
            ("7d", Some(now.0 - 604_800)),
            ("30m", Some(now.0 - 1800)),
            ("2026-11-21", Some(1_795_219_200)),
            ("2026-11-21T00:00:01Z", Some(1_795_219_201)),
            ("2000-02-29T00:00:00Z", Some(951_782_400)),
            ("1795219200", Some(1_795_219_200)),
            ("yesterday", None),
            ("2026-13-01", None),
            ("2026-11-21T25:00:00Z", None),
            ("д", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_since(text, now).map(|time| time.0), expected, "{text}");
        }
    }
}
