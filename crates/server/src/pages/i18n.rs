//! Russian and English: which language a page speaks, and its words.
//!
//! The words live in `locales/{ru,en}/main.ftl` and are compiled in.

use std::borrow::Cow;
use std::collections::HashMap;

use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, langid};
use serde::{Deserialize, Serialize};

/// A language that the pages speak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Locale {
    /// Russian.
    Ru,
    /// English, also the last resort.
    #[default]
    En,
}

impl Locale {
    /// Every language, in a fixed order.
    pub const ALL: [Self; 2] = [Self::Ru, Self::En];

    /// The language of a page: the first one spoken here among `ui_locales` (OpenID Connect Core §3.1.2.1, most wanted first), then the
    /// person's own `locale`, then `Accept-Language` by weight (RFC 9110 §12.5.4), then `default`.
    pub fn negotiate(ui_locales: &[String], person: Option<&str>, accept_language: Option<&str>, default: Self) -> Self {
        ui_locales
            .iter()
            .find_map(|tag| Self::from_tag(tag))
            .or_else(|| person.and_then(Self::from_tag))
            .or_else(|| accept_language.and_then(Self::from_accept_language))
            .unwrap_or(default)
    }

    /// The language of a BCP 47 tag by its primary subtag, case ignored; `ru_RU` counts too. `None` when it is not spoken here.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|locale| primary.eq_ignore_ascii_case(locale.tag()))
    }

    /// The value of `<html lang>`, of `Content-Language` and of `ui_locales`: `ru` or `en`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Ru => "ru",
            Self::En => "en",
        }
    }

    /// The language's name in itself.
    pub fn native_name(self) -> &'static str {
        match self {
            Self::Ru => "Русский",
            Self::En => "English",
        }
    }

    /// The language that the switch leads to.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Ru => Self::En,
            Self::En => Self::Ru,
        }
    }

    fn from_accept_language(header: &str) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        for range in header.split(',').take(MAX_RANGES) {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let Some(locale) = Self::from_tag(tag) else { continue };
            let weight = weight_in_thousandths(parameters);
            if weight > best.map_or(0, |(heaviest, _)| heaviest) {
                best = Some((weight, locale));
            }
        }
        best.map(|(_, locale)| locale)
    }

    fn identifier(self) -> &'static LanguageIdentifier {
        match self {
            Self::Ru => &RUSSIAN,
            Self::En => &ENGLISH,
        }
    }
}

/// The message `key` in `locale`; in English when it is missing there, and the key itself when nobody has it.
pub fn t(locale: Locale, key: &str) -> String {
    lookup(locale, key, None)
}

/// Like [`t`], with the values that the message names. Numbers choose the plural form.
pub fn t_args(locale: Locale, key: &str, args: &[(&'static str, Arg<'_>)]) -> String {
    let args = args
        .iter()
        .map(|(name, value)| {
            let value = match *value {
                Arg::Text(text) => FluentValue::from(text),
                Arg::Number(number) => FluentValue::from(number),
            };
            (Cow::Borrowed(*name), value)
        })
        .collect();
    lookup(locale, key, Some(&args))
}

/// A value that a message names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg<'a> {
    /// Shown as it is (the template escapes it).
    Text(&'a str),
    /// Shown as a number and used for the plural form.
    Number(u64),
}

fn lookup(locale: Locale, key: &str, args: Option<&HashMap<Cow<'static, str>, FluentValue<'_>>>) -> String {
    MESSAGES
        .lookup_single_language(locale.identifier(), key, args)
        .or_else(|_| MESSAGES.lookup_single_language(&ENGLISH, key, args))
        .unwrap_or_else(|_| key.to_owned())
}

/// `q=0.8` is 800; no weight is 1000, and one that does not parse is 0 (RFC 9110 §12.4.2).
fn weight_in_thousandths(parameters: &str) -> u16 {
    let Some(weight) = parameters.split(';').find_map(|p| p.trim().strip_prefix(['q', 'Q'])?.trim().strip_prefix('=')) else {
        return 1000;
    };
    match weight.trim().split_once('.').unwrap_or((weight.trim(), "")) {
        ("1", _) => 1000,
        ("0", digits) if digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()) => format!("{digits:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

/// A browser sends fewer than ten; a header of 8 KiB would hold thousands.
const MAX_RANGES: usize = 32;
static ENGLISH: LanguageIdentifier = langid!("en");
static RUSSIAN: LanguageIdentifier = langid!("ru");

fluent_templates::static_loader! {
    static MESSAGES = {
        locales: "./locales",
        fallback_language: "en",
        // The marks (U+2068, U+2069) would stand in titles and in what people copy.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use std::collections::BTreeMap;
    use std::{fs, path::Path};

    use super::*;
    use crate::pages::account::view::{HINT, Notice, UNKNOWN_DEVICE};
    use crate::pages::register::Problem;
    use crate::pages::view::{ErrorKind, LoginNotice, known_scopes};

    fn messages(file: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut current = String::new();
        for line in file.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with(|c: char| c.is_ascii_lowercase()) {
                let (key, text) = line.split_once(" = ").unwrap();
                key.clone_into(&mut current);
                assert!(found.insert(current.clone(), text.to_owned()).is_none(), "{key} stands twice");
            } else if let Some(text) = found.get_mut(&current) {
                text.push_str(line);
            }
        }
        found
    }

    fn both() -> [BTreeMap<String, String>; 2] {
        [messages(include_str!("../../locales/ru/main.ftl")), messages(include_str!("../../locales/en/main.ftl"))]
    }

    fn is_cyrillic(c: char) -> bool {
        ('\u{0400}'..='\u{04FF}').contains(&c)
    }

    /// Keys that templates name literally, and those that the types of the pages choose.
    fn used_keys() -> Vec<String> {
        let mut used: Vec<String> = Vec::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        for entry in fs::read_dir(folder).unwrap() {
            let template = fs::read_to_string(entry.unwrap().path()).unwrap();
            for call in ["page.t(\"", "page.t_client(\"", "self.named(\""] {
                used.extend(template.split(call).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
            }
        }
        for kind in ErrorKind::ALL {
            used.push(format!("error-{}-heading", kind.slug()));
            used.push(format!("error-{}-hint", kind.slug()));
        }
        used.extend(LoginNotice::ALL.iter().map(|notice| notice.key().0.to_owned()));
        used.push(LoginNotice::Throttled { seconds: 3600 }.key().0.to_owned());
        used.extend(known_scopes().map(|(_, key)| key.to_owned()));
        used.extend(Problem::ALL.iter().map(|problem| problem.key().to_owned()));
        used.push(crate::pages::register::finish::HINT.to_owned());
        used.extend(Notice::ALL.iter().map(|notice| notice.key().0.to_owned()));
        used.extend(crate::outbox::letters::KEYS.map(str::to_owned));
        used.push(crate::pages::set_password::HINT.to_owned());
        used.extend([HINT, UNKNOWN_DEVICE].map(str::to_owned));
        used.push("scope-other".to_owned());
        used.push("brand-name".to_owned());
        used
    }

    #[test]
    fn every_message_exists_in_both_languages() {
        let [ru, en] = both();
        let only =
            |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| a.keys().filter(|key| !b.contains_key(*key)).cloned().collect::<Vec<_>>();
        assert_eq!((only(&ru, &en), only(&en, &ru)), (vec![], vec![]), "only Russian, only English");
    }

    #[test]
    fn every_used_message_exists_and_every_message_is_used() {
        let used = used_keys();
        let [ru, _] = both();
        for key in &used {
            assert!(ru.contains_key(key), "{key} is used and not written");
        }
        for key in ru.keys() {
            assert!(used.contains(key), "{key} is written and not used");
        }
    }

    #[test]
    fn russian_has_cyrillic_and_english_has_none() {
        let [ru, en] = both();
        for (key, text) in &ru {
            assert!(text.chars().any(is_cyrillic), "{key}: {text}");
        }
        for (key, text) in &en {
            assert!(!text.chars().any(is_cyrillic), "{key}: {text}");
        }
    }

    #[test]
    fn both_languages_name_the_same_values() {
        let [ru, en] = both();
        let names = |text: &str| {
            let mut names: Vec<String> =
                text.split('$').skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()).collect();
            names.sort();
            names.dedup();
            names
        };
        for (key, text) in &ru {
            assert_eq!(names(text), names(en.get(key).unwrap()), "{key}");
        }
    }

    #[test]
    fn every_message_resolves_in_its_own_language() {
        let [ru, en] = both();
        let args = ["client", "scope", "count"].map(|name| (name, if name == "count" { Arg::Number(2) } else { Arg::Text("X") }));
        for (locale, words) in [(Locale::Ru, ru), (Locale::En, en)] {
            for key in words.keys() {
                let text = t_args(locale, key, &args);
                assert!(text != *key && !text.contains(['{', '\u{2068}']), "{key}: {text}");
                assert_eq!(text.chars().any(is_cyrillic), locale == Locale::Ru, "{key}: {text}");
            }
        }
    }

    #[test]
    fn russian_numbers_take_their_plural_form() {
        let text = |n| t_args(Locale::Ru, "notice-throttled-seconds", &[("count", Arg::Number(n))]);
        assert!(text(1).ends_with("1 секунду."));
        assert!(text(21).ends_with("21 секунду."));
        assert!(text(3).ends_with("3 секунды."));
        assert!(text(11).ends_with("11 секунд."));
        assert!(text(45).ends_with("45 секунд."));
    }

    #[test]
    fn ui_locales_come_before_the_person_and_the_browser() {
        let ui = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
        let negotiate = |tags: &[&str], person, header| Locale::negotiate(&ui(tags), person, header, Locale::En);
        assert_eq!(negotiate(&["fr", "ru-RU", "en"], Some("en"), Some("en")), Locale::Ru);
        assert_eq!(negotiate(&["fr"], Some("ru_RU"), Some("en")), Locale::Ru);
        assert_eq!(negotiate(&[], Some("de"), Some("de, ru;q=0.5")), Locale::Ru);
        assert_eq!(negotiate(&[], None, None), Locale::En);
        assert_eq!(Locale::negotiate(&[], None, Some("*"), Locale::Ru), Locale::Ru);
    }

    #[test]
    fn accept_language_is_weighed() {
        let of = Locale::from_accept_language;
        assert_eq!(of("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7"), Some(Locale::Ru));
        assert_eq!(of("ru;q=0.3, EN-gb; q=0.85"), Some(Locale::En));
        assert_eq!(of("ru;q=0, fr"), None);
        assert_eq!(of("ru;q=0.1234, en;q=0.01"), Some(Locale::En));
        assert_eq!(of(",,;q=;,\u{1F600}"), None);
        assert_eq!(of("russian"), None);
    }
}
