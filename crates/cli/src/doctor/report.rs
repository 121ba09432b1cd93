//! What was done and found, and how it is told.

use crate::failure::Failure;
use crate::output::{FINDINGS, Report, short};
use propusk_domain::client::RegisteredClient;
use propusk_domain::error::printable;
use propusk_domain::rocketchat::guide;
use propusk_domain::rocketchat::lint::{self, Finding, Severity};
use propusk_domain::trace::diagnosis::Language;
use propusk_server::instance::Instance;
use serde_json::{Value, json};

/// What was done and found.
#[derive(Debug, Default)]
pub(crate) struct Examination {
    done: Vec<(&'static str, String)>,
    findings: Vec<Finding>,
    russian: bool,
}

impl Examination {
    pub(super) fn new(language: Language) -> Self {
        Self { russian: language == Language::Russian, ..Self::default() }
    }

    /// A step that was taken, with what it showed, in both languages.
    pub(super) fn did(&mut self, step: &'static str, verdict: impl Into<String>, in_russian: impl Into<String>) {
        self.done.push((step, if self.russian { in_russian.into() } else { verdict.into() }));
    }

    /// A step that ended with a finding.
    pub(super) fn failed(&mut self, step: &'static str, slug: &str) {
        self.did(step, format!("failed: {slug}"), format!("не удалось: {slug}"));
    }

    /// One more finding. Several steps come to the same one: it is told once.
    pub(super) fn find(&mut self, finding: Finding) {
        let told = |other: &Finding| other.slug == finding.slug && other.setting == finding.setting && other.explanation == finding.explanation;
        if !self.findings.iter().any(told) {
            self.findings.push(finding);
        }
    }

    pub(super) fn findings(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            self.find(finding);
        }
    }

    /// Nobody can sign in to a client that is switched off: nothing is tried.
    pub(super) fn switched_off(&mut self, client: &RegisteredClient) {
        self.did("oidc", "not tried: the client is switched off", "не проверялось: клиент отключён");
        let explanation = "The client is switched off here, so every sign-in is refused.";
        let fix = format!("propusk client set {} --enable", client.id());
        self.find(Finding::new("client_disabled", Severity::Error, explanation, fix));
    }

    /// People whom the chat would be told no address of.
    pub(super) fn people(&mut self, instance: &Instance) -> Result<(), Failure> {
        const PAGE: i64 = 500;
        let (mut count, mut example, mut after) = (0_usize, None, None::<String>);
        loop {
            let page = instance.read(|cx| Ok(cx.store.list_users(after.as_deref(), None, PAGE)?))?;
            let verified = |user: &&propusk_domain::user::User| user.claims.email.is_some() && user.claims.email_verified == Some(true);
            let without = page.iter().filter(|user| user.is_active() && !verified(user));
            for user in without {
                count += 1;
                example.get_or_insert_with(|| user.username.clone());
            }
            match page.last() {
                Some(last) if page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX) => after = Some(last.username.clone()),
                _ => break,
            }
        }
        if let Some(example) = example {
            let explanation = "These people have no verified address, so the chat is told none: their accounts there have no address, and with a second \
                               factor or an allowed domain they cannot sign in.";
            let fix = format!("propusk user set {example} --email ADDRESS");
            self.find(Finding::new("email_not_verified", Severity::Warning, explanation, fix).found(format!("{count} people, {example} among them")));
        }
        Ok(())
    }

    pub(super) fn report(mut self, instance: &Instance, client: &RegisteredClient, chat_url: Option<&str>) -> Report {
        lint::sort(&mut self.findings);
        if self.russian {
            self.findings.iter_mut().for_each(translate);
        }
        let steps: Vec<Value> = self.done.iter().map(|(step, verdict)| json!({ "step": step, "verdict": verdict })).collect();
        let answer = json!({
            "issuer": instance.settings.issuer,
            "client_id": client.id(),
            "chat_url": chat_url,
            "steps": steps,
            "findings": self.findings,
        });
        let bad = self.findings.iter().any(|finding| finding.severity > Severity::Note);
        Report::of(answer).human(self.text()).exit_code(if bad { FINDINGS } else { 0 })
    }

    fn text(&self) -> String {
        let say = |english: &'static str, russian: &'static str| if self.russian { russian } else { english };
        let mut text: String = self.done.iter().map(|(step, verdict)| format!("{step}: {verdict}\n")).collect();
        for finding in &self.findings {
            let severity = match finding.severity {
                Severity::Error => say("ERROR", "ОШИБКА"),
                Severity::Warning => say("WARNING", "ПРЕДУПРЕЖДЕНИЕ"),
                Severity::Note => say("NOTE", "ЗАМЕТКА"),
            };
            text += &format!("\n{severity} {}\n  {}\n", finding.slug, finding.explanation);
            for (name, value) in [(say("found", "найдено"), &finding.found), (say("expected", "ожидалось"), &finding.expected)] {
                if let Some(value) = value {
                    text += &format!("  {name}: {}\n", printable(&short(value)));
                }
            }
            text += &format!("  {}: {}\n", say("try", "попробуйте"), finding.fix);
        }
        if self.findings.is_empty() {
            text += say("\nNothing is wrong.\n", "\nВсё в порядке.\n");
        }
        text
    }
}

/// The explanation in Russian, and the way out unless it is a command, which is the same in every language.
fn translate(finding: &mut Finding) {
    if let Some((explanation, fix)) = finding.russian.take() {
        (finding.explanation, finding.fix) = (explanation, fix);
        return;
    }
    let Some(entry) = guide::entry(finding.slug) else { return };
    entry.explanation(Language::Russian).clone_into(&mut finding.explanation);
    if !finding.fix.starts_with("propusk ") {
        finding.fix = match (&finding.setting, &finding.expected) {
            (Some(setting), Some(expected)) => format!("задайте {setting}: {}", shown(expected)),
            _ => entry.fix(Language::Russian).to_owned(),
        };
    }
}

fn shown(value: &Value) -> String {
    if value == "" { "(пусто)".to_owned() } else { short(value) }
}
