//! `[registration]`: whether strangers make their own accounts.

use super::section::Section;
use serde::Serialize;

/// Roles that run the community; whoever registers never has one.
const POWERFUL: [&str; 2] = ["owner", "moderator"];

/// Self-registration.
#[derive(Debug, Clone, Serialize)]
pub struct RegistrationSettings {
    /// Whether the sign-in page offers to create an account.
    pub enabled: bool,
    /// The role of those who do.
    pub role: String,
}

impl RegistrationSettings {
    /// `can_mail` says whether mails can be sent, or why they cannot is a problem already.
    pub(super) fn read(section: &mut Section, can_mail: bool) -> Self {
        let settings = Self { enabled: section.flag("enabled", false), role: section.text("role").unwrap_or_else(|| "user".to_owned()) };
        if settings.enabled && !can_mail {
            section.problem("enabled", "needs a mail server, because addresses are verified first: set smtp.url and smtp.from".to_owned());
        }
        if POWERFUL.contains(&settings.role.as_str()) {
            section.problem("role", format!("must not be {:?}: strangers would run the community", settings.role));
        }
        settings
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use crate::settings::Settings;

    const MAIL: [(&str, &str); 2] = [("smtp.url", "smtps://mail"), ("smtp.from", "p@example.org")];

    fn problems(entries: &[(&str, &str)]) -> Vec<String> {
        let error = Settings::from_map(entries.iter().copied()).unwrap_err();
        error.problems.into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn strangers_register_only_where_mails_are_sent_and_never_as_those_who_run_the_community() {
        let defaults = Settings::from_map::<&str, &str>([]).unwrap().registration;
        assert_eq!((defaults.enabled, defaults.role.as_str()), (false, "user"));
        assert!(
            Settings::from_map([MAIL[0], MAIL[1], ("registration.enabled", "true"), ("registration.role", "guest")]).unwrap().registration.enabled
        );
        assert_eq!(problems(&[("registration.enabled", "true")]), ["registration.enabled"]);
        assert_eq!(problems(&[("registration.enabled", "true"), ("smtp.starttls", "true")]), ["registration.enabled"]);
        assert_eq!(problems(&[("registration.enabled", "true"), MAIL[0]]), ["smtp.from"], "one mistake is one problem");
        for role in ["owner", "moderator"] {
            assert_eq!(problems(&[("registration.role", role)]), ["registration.role"]);
        }
    }
}
