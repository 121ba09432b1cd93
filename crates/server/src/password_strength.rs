//! Whether a new password is good enough: long enough and hard enough to guess, by zxcvbn with the person's own names as
//! the first guesses. No rule about kinds of characters (NIST SP 800-63B §5.1.1.2).

use crate::settings::PasswordSettings;
use propusk_crypto::MAX_PASSWORD_BYTES;
use propusk_domain::user::User;
use zxcvbn::zxcvbn;

/// Characters that zxcvbn looks at: its cost grows with the square of the length, and what is longer is strong enough.
const LOOKED_AT: usize = 100;

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weakness {
    /// Fewer characters than this.
    Short(usize),
    /// More bytes than a password may have.
    Long,
    /// Easy to guess.
    Guessable,
}

impl Weakness {
    /// One sentence for a program.
    pub(crate) fn sentence(self) -> String {
        match self {
            Self::Short(least) => format!("must have at least {least} characters"),
            Self::Long => format!("must have at most {MAX_PASSWORD_BYTES} bytes"),
            Self::Guessable => "is too easy to guess".to_owned(),
        }
    }
}

/// What an attacker who knows the person tries first.
pub(crate) fn names_of(user: &User) -> Vec<String> {
    let claims = &user.claims;
    let texts = [Some(&user.username), claims.name.as_ref(), claims.given_name.as_ref(), claims.family_name.as_ref(), claims.email.as_ref()];
    words_of(texts.into_iter().flatten().map(String::as_str))
}

/// The same of the texts by which somebody is known.
pub(crate) fn words_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let words = texts.into_iter().flat_map(|text| {
        let parts = text.split(|character: char| !character.is_alphanumeric()).filter(|part| part.chars().count() > 2).map(str::to_owned);
        parts.chain([text.to_owned()]).collect::<Vec<_>>()
    });
    words.collect()
}

/// Judges a new password; `names` belong to the person whose it becomes.
pub(crate) fn judge(password: &str, names: &[String], settings: &PasswordSettings) -> Result<(), Weakness> {
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(Weakness::Long);
    }
    if password.chars().count() < settings.min_length {
        return Err(Weakness::Short(settings.min_length));
    }
    let head: String = password.chars().take(LOOKED_AT).collect();
    let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
    if u8::from(zxcvbn(&head, &inputs).score()) < settings.min_score {
        return Err(Weakness::Guessable);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> PasswordSettings {
        PasswordSettings { memory_kib: 8, iterations: 1, parallelism: 1, permits: 1, queue: 1, min_length: 8, min_score: 2, link_lifetime: 3600 }
    }

    #[test]
    fn short_long_common_and_own_words_are_refused_and_kinds_of_characters_are_nobodys_business() {
        let names = ["anna".to_owned(), "Annabelle Petrova-Vodkina".to_owned()];
        let judged = |password: &str| judge(password, &names, &settings());
        assert_eq!(judged("k3v9x"), Err(Weakness::Short(8)));
        assert_eq!(judged(&"x".repeat(1025)), Err(Weakness::Long));
        for bad in ["password", "12345678", "qwertyuiop", "annabelle petrova-vodkina"] {
            assert_eq!(judged(bad), Err(Weakness::Guessable), "{bad}");
        }
        for good in ["correct horse battery", "зелёный чайник поёт", "k3v9x2m8qw7z"] {
            assert_eq!(judged(good), Ok(()), "{good}");
        }
    }
}
