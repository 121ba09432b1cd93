//! What this server has recorded of its own refusals: the doctor has the database at hand, so it names the cause itself.

use propusk_domain::records::RefusalRecord;
use propusk_domain::rocketchat::guide;
use propusk_domain::rocketchat::lint::{Finding, Severity};
use propusk_domain::trace::diagnosis::Language;
use propusk_server::instance::Instance;
use std::time::{Duration, Instant};

/// The server writes refusals a moment after its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Letters and digits of a reference, without those that look alike (Crockford's base 32).
const ALPHABET: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How many a reference has.
const LENGTH: usize = 6;

/// The refusals in the database.
#[derive(Clone, Copy)]
pub(super) struct Records<'a>(pub(super) &'a Instance);

/// A request of the trial that was refused.
pub(super) struct Refused {
    slug: &'static str,
    explanation: String,
    reference: Option<String>,
}

impl Refused {
    pub(super) fn new(slug: &'static str, explanation: impl Into<String>, reference: Option<String>) -> Self {
        Self { slug, explanation: explanation.into(), reference }
    }
}

impl Records<'_> {
    /// The finding with the cause and what mends it; without a record it was not this server that refused.
    pub(super) fn explained(self, refused: Refused) -> Finding {
        let Refused { slug, explanation, reference } = refused;
        let Some(record) = reference.as_deref().and_then(|reference| self.find(reference)) else {
            let command = reference.map_or_else(|| "propusk explain".to_owned(), |reference| format!("propusk explain {reference}"));
            let explanation = format!("{explanation} No refusal of this server lies behind it: a proxy, or another installation, answers here.");
            let fix = format!("compare the answer at the public address with the one at http.listen; the latest refusals: {command}");
            let russian = guide::entry(slug).map_or("", |entry| entry.explanation(Language::Russian));
            let fix_in_russian = format!("сравните ответ по публичному адресу и по http.listen; последние отказы: {command}");
            let russian = format!("{russian} Отказа этого сервера за этим нет: отвечает прокси или другая установка.");
            return Finding::new(slug, Severity::Error, explanation, fix).in_russian(russian, fix_in_russian);
        };
        let (cause, command) = (record.detail.cause, format!("propusk explain {}", record.reference));
        let mut fixes = record.detail.fix.clone();
        if fixes.is_empty() {
            fixes.push(cause.advice().to_owned());
        }
        let mut in_russian: Vec<String> = vec![cause.advice_ru().trim_end_matches('.').to_owned()];
        // What can be copied names the values at hand.
        if record.detail.fix.iter().any(|fix| fix.contains("propusk ")) {
            in_russian = record.detail.fix.iter().filter(|fix| fix.contains("propusk ")).cloned().collect();
        }
        for fixes in [&mut fixes, &mut in_russian] {
            fixes.push(command.clone());
        }
        let russian = guide::entry(slug).map_or("", |entry| entry.explanation(Language::Russian));
        Finding::new(slug, Severity::Error, format!("{explanation} {}", cause.explanation()), fixes.join("; "))
            .in_russian(format!("{russian} {}", cause.explanation_ru()), in_russian.join("; "))
    }

    fn find(self, reference: &str) -> Option<RefusalRecord> {
        let began = Instant::now();
        loop {
            match self.0.read(|cx| Ok(cx.store.find_refusal(reference)?)) {
                Ok(Some(record)) => return Some(record),
                Ok(None) if began.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

/// Whether the text is a reference, and nothing but one.
pub(super) fn is_reference(text: &str) -> bool {
    text.len() == LENGTH && text.chars().all(|letter| ALPHABET.contains(letter))
}

/// The reference in a description (`… (ref 7F3K2Q)`) or on a page (`id="error-reference">7F3K2Q<`).
pub(super) fn reference_of(text: &str) -> Option<String> {
    [("(ref ", ")"), ("id=\"error-reference\">", "<")].into_iter().find_map(|(before, after)| {
        let found = text.split_once(before)?.1.split_once(after)?.0.trim();
        is_reference(found).then(|| found.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reference_is_taken_for_one() {
        assert_eq!(reference_of("The client was not accepted (ref 7F3K2Q)").as_deref(), Some("7F3K2Q"));
        assert_eq!(reference_of("<dd id=\"error-reference\">ABC123</dd>").as_deref(), Some("ABC123"));
        for none in ["Client authentication failed", "(ref failed)", "(ref 7F3K2)", "(ref 7F3K2Q", "REFERENCE", "id=\"error-reference\">abcdef<"] {
            assert_eq!(reference_of(none), None, "{none}");
        }
    }
}
