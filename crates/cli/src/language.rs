//! The language of explanations.

use clap::ValueEnum;
use propusk_domain::trace::diagnosis::Language;

/// A language as typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Lang {
    /// English
    En,
    /// Russian
    Ru,
}

/// The language that was asked for; by default that of the terminal.
pub(crate) fn chosen(lang: Option<Lang>) -> Language {
    match lang {
        Some(Lang::Ru) => Language::Russian,
        None if speaks_russian() => Language::Russian,
        Some(Lang::En) | None => Language::English,
    }
}

/// What POSIX says about the language of messages: the first of the three that is set and not empty.
#[allow(clippy::disallowed_methods, reason = "the language of the terminal is no setting of the server")]
fn speaks_russian() -> bool {
    let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
    let first = names.into_iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    first.is_some_and(|value| value.to_string_lossy().starts_with("ru"))
}
