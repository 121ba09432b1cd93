//! `propusk rocketchat settings`

use super::admin::{Admin, Session};
use super::forms::{Form, Language, Rendered};
use crate::failure::Failure;
use crate::house;
use crate::input;
use crate::output::{FINDINGS, Report, short};
use clap::Args;
use propusk_crypto::Secret;
use propusk_domain::admin::clients;
use propusk_domain::client::RegisteredClient;
use propusk_domain::rocketchat::settings::{self, Options, Setting};
use propusk_domain::rocketchat::{CUSTOM, provider_name, service_key};
use propusk_server::instance::Instance;
use propusk_server::outbound::Outbound;
use propusk_server::rocketchat::provision::{self, Change, Plan};
use propusk_server::rocketchat::rest::Rest;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

pub(crate) const EXAMPLES: &str = "\
Forms: table (what to type into the administration page), env (initial values and their OVERWRITE_SETTING_ twins), compose (a fragment
of a service), rest (a script of calls, second factor included), json. The secret is part of them only when it is given or freshly made.

--apply sets them by the chat's REST API: it shows the difference first, changes only what differs, and looks at the result. A chat whose
database was lost is set up again with --apply --rotate-secret. --plan only shows the difference; exit code 3 when there is one.

Examples:
  propusk rocketchat settings --chat-url https://chat.example.org --lang ru
  propusk rocketchat settings --chat-url https://chat.example.org --format env --rotate-secret > chat.env
  propusk rocketchat settings --chat-url https://chat.example.org --apply --admin-user root --rotate-secret
  propusk rocketchat settings --chat-url https://chat.example.org --silent --embed https://example.org --plan --admin-id ID --admin-token-file FILE";

#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// The client that the chat is
    #[arg(long, value_name = "CLIENT_ID", default_value = "rocketchat")]
    client: String,
    /// The chat's public address
    #[arg(long, value_name = "URL", value_parser = super::chat_url)]
    chat_url: String,
    /// The provider's name in the chat, in Latin letters; by default that of the client's redirect URI
    #[arg(long)]
    name: Option<String>,
    /// The text of the button
    #[arg(long, value_name = "TEXT", value_parser = super::one_line)]
    button: Option<String>,
    /// Sign people in without a button
    #[arg(long)]
    silent: bool,
    /// Let a page of this origin embed the chat
    #[arg(long, value_name = "ORIGIN", value_parser = super::origin)]
    embed: Option<String>,
    /// The chat has a licence: it takes the roles from the identity
    #[arg(long)]
    licensed: bool,
    /// Chats from 8.7 to 8.9 shall use the modern flow
    #[arg(long)]
    modern: bool,
    /// The channel that people see first
    #[arg(long, value_name = "CHANNEL", default_value = settings::FIRST_CHANNEL, value_parser = super::one_line)]
    first_channel: String,
    /// Hide the chat's own form for name and password: once an administrator has signed in by the provider
    #[arg(long)]
    hide_login_form: bool,
    /// Leave the provider out: 9.0 and later without a licence can have none
    #[arg(long, requires = "silent", conflicts_with = "rotate_secret")]
    without_provider: bool,
    /// In which form
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// The language of field names and button
    #[arg(long, value_enum, default_value_t = Language::En)]
    lang: Language,
    /// Read the client's secret from standard input
    #[arg(long, conflicts_with_all = ["rotate_secret", "secret_file"])]
    secret_stdin: bool,
    /// Read the client's secret from a file
    #[arg(long, value_name = "FILE", conflicts_with = "rotate_secret")]
    secret_file: Option<PathBuf>,
    /// Give the client a new secret
    #[arg(long)]
    rotate_secret: bool,
    /// Set the settings in the chat
    #[arg(long, conflicts_with = "plan")]
    apply: bool,
    /// Only show what --apply would change
    #[arg(long)]
    plan: bool,
    #[command(flatten)]
    admin: Admin,
}

impl Settings {
    pub(crate) fn run(self, config: Option<&Path>, json: bool) -> Result<Report, Failure> {
        let by_rest = self.apply || self.plan;
        if self.admin.is_named() && !by_rest {
            return Err(Failure::usage("--admin-… is for --apply or --plan"));
        }
        if by_rest && !self.admin.is_named() {
            return Err(Failure::usage("say who: --admin-user NAME, or --admin-id ID --admin-token-file FILE"));
        }
        if self.secret_stdin && by_rest && self.admin.reads_stdin() {
            return Err(Failure::usage("standard input cannot bring two secrets: use --secret-file or --admin-password-file"));
        }
        if self.plan && self.rotate_secret {
            return Err(Failure::usage("--plan changes nothing, so it cannot go with --rotate-secret"));
        }
        let instance = house::open_existing(config)?;
        let client = crate::doctor::load(&instance, &self.client)?;
        let options = self.options(&instance, &client)?;
        if by_rest { self.by_rest(&instance, &client, options, json) } else { self.show(&instance, &client, options) }
    }

    fn options(&self, instance: &Instance, client: &RegisteredClient) -> Result<Options, Failure> {
        let name = self.name.as_deref().map_or_else(|| settings::name_for(client, &self.chat_url), provider_name);
        if name.is_empty() || name.contains('_') {
            return Err(Failure::usage("--name: Latin letters and digits; what people see is the text of the button (--button)"));
        }
        let shown = instance.settings.brand.name.as_deref().unwrap_or(&name);
        let button = self.button.clone().unwrap_or_else(|| match self.lang {
            Language::En => format!("Sign in with {shown}"),
            // A name in quotes after a word of its kind keeps its form; by itself it would have to be declined, which nobody can do for all names.
            Language::Ru if shown.contains('«') => format!("Войти через сайт {shown}"),
            Language::Ru => format!("Войти через сайт «{shown}»"),
        });
        // A line break would begin another variable of the env form.
        if button.chars().any(char::is_control) {
            return Err(Failure::usage("the text of the button must be one line: brand.name has a line break or a control character"));
        }
        let secret = match &self.secret_file {
            Some(file) => Some(input::from_file(file)?),
            None if self.secret_stdin => Some(input::from_stdin("Client secret: ")?),
            None => None,
        };
        if let Some(secret) = &secret
            && clients::check_secret(&client.client, secret.expose(), instance.clock.now()).is_some()
        {
            return Err(Failure::Failed(format!("the secret is not one of {}; nothing was changed", client.id())));
        }
        let Self { silent, licensed, modern, without_provider, hide_login_form, .. } = *self;
        let (chat_url, embed, first_channel) = (self.chat_url.clone(), self.embed.clone(), self.first_channel.clone());
        Ok(Options { chat_url, name, button, secret, silent, embed, licensed, modern, without_provider, first_channel, hide_login_form })
    }

    fn show(&self, instance: &Instance, client: &RegisteredClient, mut options: Options) -> Result<Report, Failure> {
        if self.rotate_secret {
            options.secret = Some(rotate(instance, client)?);
        }
        let settings = settings::recommended(client, &instance.settings.issuer, &options);
        let rendered = Rendered { settings: &settings, options: &options, language: self.lang };
        let report = Report::of(rendered.json()).human(rendered.form(self.format));
        Ok(with_notes(report, client, &options, self.format))
    }

    fn by_rest(&self, instance: &Instance, client: &RegisteredClient, mut options: Options, json: bool) -> Result<Report, Failure> {
        let rest = Rest::new(Outbound::new(&instance.settings.outbound)?, &options.chat_url);
        let session = self.admin.sign_in(rest.clone())?;
        let outcome = self.change(instance, client, &mut options, &rest, &session, json);
        session.end();
        outcome
    }

    fn change(
        &self,
        instance: &Instance,
        client: &RegisteredClient,
        options: &mut Options,
        rest: &Rest,
        session: &Session,
        json: bool,
    ) -> Result<Report, Failure> {
        let issuer = &instance.settings.issuer;
        let wanted = settings::recommended(client, issuer, options);
        let mut plan = session.act(|rest| provision::plan(rest, &options.name, &wanted))?;
        let works = |secret: &str| clients::check_secret(&client.client, secret, instance.clock.now()).is_none();
        let keeps_a_working_secret = options.without_provider || options.secret.is_some() || plan.kept_secret().is_some_and(works);
        if self.plan {
            let report = report(options, &plan, false).exit_code(if plan.is_empty() { 0 } else { FINDINGS });
            return Ok(if keeps_a_working_secret {
                report
            } else {
                report.note("The chat has no working secret of this client: --rotate-secret gives it one.")
            });
        }
        if !keeps_a_working_secret && !self.rotate_secret {
            return Err(Failure::Failed(
                "the chat has no working secret of this client: add --rotate-secret, --secret-file FILE or --secret-stdin; nothing was changed"
                    .to_owned(),
            ));
        }
        let mut shown = plan.clone();
        if self.rotate_secret {
            shown.changes.push(secret_change(options, &plan));
            // Whatever the chat refuses, it refuses before the client gets another secret.
            plan = plan.or_any_of(&wanted);
        }
        if !json {
            // Seen before it is done: an operator may still stop it.
            let _closed = std::io::stderr().write_all(difference(&shown).as_bytes());
        }
        session.act(|rest| provision::execute(rest, &options.name, &plan))?;
        offered(rest, options, &wanted)?;
        if self.rotate_secret {
            options.secret = Some(rotate(instance, client)?);
            let wanted = settings::recommended(client, issuer, options);
            let plan = session.act(|rest| provision::plan(rest, &options.name, &wanted))?;
            session.act(|rest| provision::execute(rest, &options.name, &plan))?;
            offered(rest, options, &wanted)?;
        }
        Ok(with_notes(report(options, &shown, true), client, options, Form::Table))
    }
}

/// How the change of a secret that is not made yet is shown.
fn secret_change(options: &Options, plan: &Plan) -> Change {
    let setting = Setting { id: format!("{CUSTOM}{}-secret", options.name), value: Value::Null, optional: false };
    Change { setting, from: plan.kept_secret().map(Value::from) }
}

/// Whether the chat shows everybody the provider as it should be.
fn offered(rest: &Rest, options: &Options, wanted: &[Setting]) -> Result<(), Failure> {
    let mismatches = if options.without_provider { Vec::new() } else { provision::verify(rest, &options.name, wanted)? };
    let Some(mismatch) = mismatches.first() else { return Ok(()) };
    let found = if mismatch.found.is_null() { "nothing".to_owned() } else { short(&mismatch.found) };
    Err(Failure::Failed(format!(
        "everything was set, but the chat's public list of services shows {} as {found} instead of {}: its licence may lack the module \
         oauth-enterprise (9.0 and later), or a second provider of the same key is in the way (propusk rocketchat doctor)",
        mismatch.field,
        short(&mismatch.expected)
    )))
}

fn rotate(instance: &Instance, client: &RegisteredClient) -> Result<Secret, Failure> {
    let (id, overlap) = (client.id().to_owned(), instance.policy.secret_overlap);
    Ok(instance.write(move |cx| clients::rotate_secret(cx, &id, overlap))?)
}

fn report(options: &Options, plan: &Plan, applied: bool) -> Report {
    let changes: Vec<Value> =
        plan.changes.iter().map(|change| json!({ "setting": change.setting.id, "from": from(change), "to": to(&change.setting) })).collect();
    let answer = json!({
        "chat_url": options.chat_url,
        "provider": options.name,
        "add_provider": plan.add_provider,
        "changes": changes,
        "absent": plan.absent,
        "applied": applied && !plan.is_empty(),
        "verified": applied,
    });
    let human = match (applied, plan.is_empty()) {
        (false, _) => difference(plan),
        (true, true) => "Nothing to change: the chat has these settings, and shows them.\n".to_owned(),
        (true, false) => format!("{} settings are set, and the chat shows them.\n", plan.changes.len()),
    };
    Report::of(answer).human(human)
}

fn difference(plan: &Plan) -> String {
    if plan.is_empty() {
        return "Nothing differs.\n".to_owned();
    }
    let mut text = if plan.add_provider { "The provider is new to the chat.\n".to_owned() } else { String::new() };
    for change in &plan.changes {
        text += &format!("{}: {} → {}\n", change.setting.id, quoted(&from(change)), quoted(&to(&change.setting)));
    }
    for absent in &plan.absent {
        text += &format!("{absent}: this version does not have it\n");
    }
    text
}

fn from(change: &Change) -> Value {
    match &change.from {
        Some(_) if change.setting.is_secret() => "(another secret)".into(),
        from => from.clone().unwrap_or(Value::Null),
    }
}

fn to(setting: &Setting) -> Value {
    if setting.is_secret() { "(the client's secret)".into() } else { setting.value.clone() }
}

fn quoted(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// What these settings rest on and do not contain.
fn with_notes(mut report: Report, client: &RegisteredClient, options: &Options, form: Form) -> Report {
    let uri = settings::redirect_uri(&options.chat_url, &options.name);
    if !client.client.settings.redirect_uris.contains(&uri) {
        report = report.note(format!("The client lacks this redirect URI: propusk client set {} --add-redirect-uri {uri}", client.id()));
    }
    if options.secret.is_none() && !options.without_provider && form != Form::Table {
        report = report.note("The secret is left out: add --rotate-secret, --secret-file FILE or --secret-stdin.");
    }
    let returns = client.client.settings.post_logout_redirect_uris.iter().any(|uri| uri.starts_with(&options.chat_url));
    if options.silent && !returns {
        report = report.note(format!(
            "A log-out ends here and not in the chat: propusk client set {} --add-post-logout-redirect-uri {}/home",
            client.id(),
            options.chat_url
        ));
    }
    if service_key(&options.name) == "gitlab" {
        report = report.note("The key gitlab belongs to Rocket.Chat's own provider: choose another name.");
    }
    report
}
