//! The form of each standard claim (OpenID Connect Core §5.1): relying parties check these, so wrong ones do not get in.

use url::Url;

/// The longest value of a claim in bytes.
const LONGEST: usize = 1024;

/// The form of a claim: what is accepted, and how that is said.
pub(crate) struct Rule {
    pub(crate) accepts: fn(&str) -> bool,
    pub(crate) expected: &'static str,
}

/// The rule of a key of `StandardClaims::set`.
pub(crate) fn rule(key: &str) -> Option<Rule> {
    let (accepts, expected): (fn(&str) -> bool, _) = match key {
        "name"
        | "given_name"
        | "family_name"
        | "middle_name"
        | "nickname"
        | "preferred_username"
        | "gender"
        | "address.locality"
        | "address.region"
        | "address.postal_code"
        | "address.country" => (is_line, "one line of at most 1024 bytes that is not null"),
        "address.formatted" | "address.street_address" => (is_text, "text of at most 1024 bytes without control characters but line ends"),
        "profile" | "picture" | "website" => (is_url, "an absolute http or https URL"),
        "email" => (is_email, "an e-mail address such as anna@example.org"),
        "email_verified" | "phone_number_verified" => (is_boolean, "true or false"),
        "birthdate" => (is_birthdate, "YYYY-MM-DD, 0000-MM-DD or YYYY"),
        "zoneinfo" => (is_zone, "a time zone such as Europe/Moscow"),
        "locale" => (is_locale, "a language tag such as ru-RU"),
        "phone_number" => (is_phone, "a telephone number in international form such as +7 495 000-00-00"),
        "updated_at" => (|text| timestamp(text).is_some(), "Unix seconds since 1990"),
        "address" => (|_| false, "set by its members, such as address.locality"),
        _ => return None,
    };
    Some(Rule { accepts, expected })
}

/// Unix seconds not before 1990: earlier ones are milliseconds or mistakes.
pub(crate) fn timestamp(text: &str) -> Option<i64> {
    const YEAR_1990: i64 = 631_152_000;
    const YEAR_10000: i64 = 253_402_300_800;
    let seconds = text.parse().ok()?;
    (YEAR_1990..YEAR_10000).contains(&seconds).then_some(seconds)
}

fn is_line(text: &str) -> bool {
    is_text(text) && !text.contains(['\n', '\r'])
}

fn is_text(text: &str) -> bool {
    let control = |c: char| c.is_control() && c != '\n' && c != '\r';
    !text.trim().is_empty() && text != "null" && text.len() <= LONGEST && !text.contains(control)
}

fn is_url(text: &str) -> bool {
    let web = ["https://", "http://"].into_iter().any(|start| text.starts_with(start));
    web && text.len() <= LONGEST
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\')
        && Url::parse(text).is_ok_and(|url| url.has_host() && url.username().is_empty() && url.password().is_none())
}

/// One `@` between a mailbox and a domain. More is the mail server's business.
fn is_email(text: &str) -> bool {
    let Some((mailbox, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let blank = |c: char| c.is_whitespace() || c.is_control() || "<>,;:\"\\()[]".contains(c);
    (1..=64).contains(&mailbox.len())
        && (1..=255).contains(&domain.len())
        && !text.contains(blank)
        && !mailbox.contains('@')
        && domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
}

fn is_boolean(text: &str) -> bool {
    matches!(text, "true" | "false")
}

/// A year alone, a whole date, or a date whose year `0000` is withheld.
fn is_birthdate(text: &str) -> bool {
    let number = |part: &str, length: usize| {
        let digits = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u32>().ok()).flatten()
    };
    let mut parts = text.split('-');
    let Some(year) = parts.next().and_then(|part| number(part, 4)) else {
        return false;
    };
    let (month, day) = (parts.next(), parts.next());
    let (Some(month), Some(day), None) = (month, day, parts.next()) else {
        return month.is_none() && year > 0;
    };
    let (Some(month), Some(day)) = (number(month, 2), number(day, 2)) else {
        return false;
    };
    // A withheld year may be a leap year.
    let leap = year == 0 || year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// The form of a name in the time zone database, not its presence there.
fn is_zone(text: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
    };
    text.len() <= 64 && text.split('/').all(part)
}

/// The form of a BCP 47 tag; `_` is tolerated for `-` (OpenID Connect Core §5.1).
fn is_locale(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    let subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 35 && (2..=8).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic()) && parts.all(subtag)
}

/// E.164, with the separators and the extension of RFC 3966.
fn is_phone(text: &str) -> bool {
    let (number, extension) = match text.split_once(";ext=") {
        Some((number, extension)) => (number, Some(extension)),
        None => (text, None),
    };
    let Some(rest) = number.strip_prefix('+') else {
        return false;
    };
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    rest.starts_with(|first: char| first.is_ascii_digit() || first == '(' || first == ' ')
        && rest.bytes().all(|byte| byte.is_ascii_digit() || b" -.()".contains(&byte))
        && (3..=15).contains(&digits)
        && rest.len() <= 32
        && extension.is_none_or(|e| (1..=8).contains(&e.len()) && e.bytes().all(|byte| byte.is_ascii_digit()))
}
