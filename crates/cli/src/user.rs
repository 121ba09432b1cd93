//! `propusk user …`

use crate::failure::Failure;
use crate::house;
use crate::input::PasswordSource;
use crate::output::{Report, changes_text, lines, short, table};
use clap::{Args, Subcommand};
use propusk_domain::admin::diff;
use propusk_domain::admin::users::{self, NewUser, UserPatch};
use propusk_domain::password_link;
use propusk_domain::user::{NameKind, SignInName, User as Person};
use propusk_server::instance::Instance;
use serde_json::{Map, Value, json};
use std::path::Path;

const ADD_EXAMPLES: &str = "\
Examples:
  propusk user add anna --role owner --email anna@example.org --name 'Анна Петрова' --generate-password
  propusk user add boris --role user --password-stdin < password.txt
  propusk user add vera --role moderator --email vera@example.org --email-unverified --json";
const LIST_EXAMPLES: &str = "\
Examples:
  propusk user list
  propusk user list --search example.org --json";
const SET_EXAMPLES: &str = "\
Examples:
  propusk user set anna --role moderator
  propusk user set anna --email anna@new.example --name 'Анна Иванова'
  propusk user set anna --claim birthdate=1990-04-01 --claim address.locality=Казань
  propusk user set anna --claim nickname=          (clears it)
  propusk user set anna --alias Анна";
const PASSWORD_EXAMPLES: &str = "\
Setting a password signs the person out everywhere.

Examples:
  propusk user set-password anna                   (asks on the terminal)
  propusk user set-password anna --generate-password
  propusk user set-password anna --link            (prints a link by which the person sets it, once)
  propusk user set-password anna --password-stdin < password.txt";
const STATE_EXAMPLES: &str = "\
Disabling signs the person out everywhere; enabling brings no session back.

Examples:
  propusk user disable anna
  propusk user enable anna";

/// People
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a person
    #[command(after_help = ADD_EXAMPLES)]
    Add(Box<Add>),
    /// List people in the order of usernames
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// Show one person
    #[command(after_help = "Examples:\n  propusk user show anna\n  propusk user show anna@example.org --json")]
    Show(Named),
    /// Change a person
    #[command(after_help = SET_EXAMPLES)]
    Set(Box<Set>),
    /// Set a person's password
    #[command(after_help = PASSWORD_EXAMPLES)]
    SetPassword(SetPassword),
    /// Forbid a person to sign in, and end their sessions
    #[command(after_help = STATE_EXAMPLES)]
    Disable(Named),
    /// Let a disabled person sign in again
    #[command(after_help = STATE_EXAMPLES)]
    Enable(Named),
    /// Remove a person for good
    #[command(after_help = "The subject is never given to anybody else.\n\nExamples:\n  propusk user remove anna")]
    Remove(Named),
}

/// One person.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Username, another sign-in name or subject
    #[arg(allow_hyphen_values = true)]
    name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The username: A-Z, a-z, 0-9, dot, underscore, hyphen
    name: String,
    /// A role of the site: owner, moderator, user, or one that was added
    #[arg(long)]
    role: String,
    /// The e-mail address; it counts as verified and opens the login form
    #[arg(long)]
    email: Option<String>,
    /// The address is not known to be the person's
    #[arg(long, requires = "email")]
    email_unverified: bool,
    /// The name that people see
    #[arg(long = "name", value_name = "NAME", id = "full_name")]
    full_name: Option<String>,
    /// The language of the pages: ru or en, or a longer tag
    #[arg(long, value_name = "TAG")]
    locale: Option<String>,
    /// A standard claim; may be repeated
    #[arg(long = "claim", value_name = "KEY=VALUE", value_parser = key_value)]
    claims: Vec<(String, String)>,
    /// A further sign-in name, of any alphabet; may be repeated
    #[arg(long = "alias", value_name = "SIGN-IN-NAME")]
    aliases: Vec<String>,
    #[command(flatten)]
    password: PasswordSource,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those whose username, e-mail or name contains this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those after this username
    #[arg(long, value_name = "USERNAME")]
    after: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Username, another sign-in name or subject
    #[arg(allow_hyphen_values = true)]
    name: String,
    /// Another username
    #[arg(long)]
    username: Option<String>,
    /// Another role
    #[arg(long)]
    role: Option<String>,
    /// Another e-mail address, verified unless said otherwise; an empty one clears it
    #[arg(long)]
    email: Option<String>,
    /// The address is not known to be the person's
    #[arg(long, conflicts_with = "email_verified")]
    email_unverified: bool,
    /// The address is known to be the person's
    #[arg(long)]
    email_verified: bool,
    /// Another name that people see
    #[arg(long = "name", value_name = "NAME", id = "full_name")]
    full_name: Option<String>,
    /// Another language of the pages
    #[arg(long, value_name = "TAG")]
    locale: Option<String>,
    /// A standard claim; an empty value clears it; may be repeated
    #[arg(long = "claim", value_name = "KEY=VALUE", value_parser = key_value)]
    claims: Vec<(String, String)>,
    /// A further sign-in name; may be repeated
    #[arg(long = "alias", value_name = "SIGN-IN-NAME")]
    aliases: Vec<String>,
    /// Take a further sign-in name away; may be repeated
    #[arg(long = "remove-alias", value_name = "SIGN-IN-NAME")]
    remove_aliases: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SetPassword {
    /// Username, another sign-in name or subject
    #[arg(allow_hyphen_values = true)]
    name: String,
    /// Change nothing; print a one-time link by which the person chooses the password
    #[arg(long, conflicts_with = "PasswordSource")]
    link: bool,
    #[command(flatten)]
    password: PasswordSource,
}

impl User {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        match self {
            Self::Add(verb) => verb.run(config),
            Self::List(verb) => verb.run(&house::open_existing(config)?),
            Self::Show(verb) => show(&house::open_existing(config)?, &verb.name),
            Self::Set(verb) => verb.run(&house::open(config)?),
            Self::SetPassword(verb) => verb.run(config),
            Self::Disable(verb) => enter(&house::open(config)?, &verb.name, false),
            Self::Enable(verb) => enter(&house::open(config)?, &verb.name, true),
            Self::Remove(verb) => remove(&house::open(config)?, &verb.name),
        }
    }
}

impl Add {
    fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let instance = house::open(config)?;
        let chosen = self.password.choose()?;
        let mut new = NewUser::new(self.name, self.role);
        new.email_verified = !self.email_unverified;
        new.email = self.email;
        new.name = self.full_name;
        new.locale = self.locale;
        new.claims = self.claims;
        new.aliases = self.aliases;
        new.password_hash = chosen.as_ref().map(|chosen| house::hash(&instance, &chosen.password)).transpose()?;
        let user = instance.write(move |cx| users::add(cx, new.clone()))?;

        let mut answer = json!({ "sub": user.sub, "username": user.username });
        let mut text = format!("Added {} ({})\nsub       {}\n", user.username, user.role, user.sub);
        match &chosen {
            Some(chosen) if chosen.generated => {
                insert(&mut answer, "password", chosen.password.expose());
                text += &format!("password  {}   (shown this once)\n", chosen.password.expose());
            }
            Some(_) => {}
            None => text += &format!("No password is set: propusk user set-password {}\n", user.username),
        }
        Ok(Report::of(answer).human(text))
    }
}

impl List {
    fn run(self, instance: &Instance) -> Result<Report, Failure> {
        let Self { search, after, limit } = self;
        let people = instance.read(|cx| Ok(cx.store.list_users(after.as_deref(), search.as_deref(), limit)?))?;
        let summary = |user: &Person| {
            json!({
                "sub": user.sub, "username": user.username, "role": user.role, "state": user.state.as_str(),
                "name": user.claims.name, "email": user.claims.email, "email_verified": user.claims.email_verified,
            })
        };
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let rows = people.iter().map(|user| {
            [user.username.clone(), user.role.clone(), user.state.as_str().to_owned(), text(&user.claims.email), text(&user.claims.name)]
        });
        let human = table(["USERNAME", "ROLE", "STATE", "EMAIL", "NAME"], rows);
        Ok(Report::of(people.iter().map(summary).collect()).human(human))
    }
}

impl Set {
    fn run(self, instance: &Instance) -> Result<Report, Failure> {
        let user = house::find_user(instance, &self.name)?;
        let patch = UserPatch {
            username: self.username,
            role: self.role,
            email: self.email,
            email_verified: (self.email_unverified || self.email_verified).then_some(self.email_verified),
            name: self.full_name,
            locale: self.locale,
            claims: self.claims,
            aliases: None,
            add_aliases: self.aliases,
            remove_aliases: self.remove_aliases,
        };
        let (user, changes) = instance.write(move |cx| users::set(cx, &user.sub, &patch))?;
        Ok(Report::of(json!({ "sub": user.sub, "username": user.username, "changed": changes })).human(changes_text(&changes)))
    }
}

impl SetPassword {
    fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let instance = house::open(config)?;
        let user = house::find_user(&instance, &self.name)?;
        if self.link {
            return link(&instance, user);
        }
        let chosen = self.password.choose_or_ask()?;
        let hash = house::hash(&instance, &chosen.password)?;
        let sub = user.sub.clone();
        instance.write(move |cx| users::set_password(cx, &sub, hash.clone()))?;

        let mut answer = json!({ "sub": user.sub, "username": user.username });
        let mut text = format!("The password of {} is set; they are signed out everywhere.\n", user.username);
        if chosen.generated {
            insert(&mut answer, "password", chosen.password.expose());
            text += &format!("password  {}   (shown this once)\n", chosen.password.expose());
        }
        Ok(Report::of(answer).human(text))
    }
}

fn link(instance: &Instance, user: Person) -> Result<Report, Failure> {
    let username = user.username.clone();
    let (sub, url, expires_at) = instance.write(move |cx| {
        let link = password_link::make(cx, &user, "command line")?;
        Ok((user.sub.clone(), link.url(&cx.policy.issuer, cx.keys)?, link.expires_at.to_string()))
    })?;
    let answer = json!({ "sub": sub, "username": username, "url": url, "expires_at": expires_at });
    let human = format!("Whoever opens this link sets the password of {username}. It works once, until {expires_at}:\n{url}\n");
    Ok(Report::of(answer).human(human))
}

fn show(instance: &Instance, name: &str) -> Result<Report, Failure> {
    let (user, names, sessions, grants) = instance.read(|cx| {
        let user = users::find(cx.store, name)?;
        let names = cx.store.list_sign_in_names(&user.sub)?;
        let sessions =
            cx.store.list_sessions(Some(&user.sub), cx.now, 1000)?.iter().filter(|session| session.is_alive(cx.now, cx.policy.session_idle)).count();
        let grants = cx.store.list_grants(Some(&user.sub), None, 1000)?.iter().filter(|grant| grant.is_alive(cx.now)).count();
        Ok((user, names, sessions, grants))
    })?;
    let answer = json!({
        "sub": user.sub, "username": user.username, "role": user.role, "state": user.state.as_str(), "locale": user.locale,
        "has_password": user.password_hash.is_some(), "claims": user.claims, "sign_in_names": sign_in_names(&names),
        "sessions": sessions, "grants": grants, "created_at": user.created_at.to_string(), "updated_at": user.updated_at.to_string(),
    });
    let mut pairs = vec![
        ("username", user.username.clone()),
        ("sub", user.sub.clone()),
        ("role", user.role.clone()),
        ("state", user.state.as_str().to_owned()),
        ("password", if user.password_hash.is_some() { "set" } else { "not set" }.to_owned()),
        ("signs in as", names.iter().map(|name| name.name.as_str()).collect::<Vec<_>>().join(", ")),
        ("sessions", sessions.to_string()),
        ("grants", grants.to_string()),
        ("page locale", user.locale.clone().unwrap_or_else(|| "-".to_owned())),
        ("added", user.created_at.to_string()),
        ("changed", user.updated_at.to_string()),
    ];
    let claims: Map<String, Value> = diff::members(&user.claims);
    pairs.extend(claims.iter().map(|(name, value)| (name.as_str(), short(value))));
    Ok(Report::of(answer).human(lines(pairs)))
}

fn enter(instance: &Instance, name: &str, active: bool) -> Result<Report, Failure> {
    let user = house::find_user(instance, name)?;
    let sub = user.sub.clone();
    let changed = instance.write(move |cx| if active { users::enable(cx, &sub) } else { users::disable(cx, &sub) })?;
    let state = if active { "active" } else { "disabled" };
    let human = match (active, changed) {
        (_, false) => format!("{} was {state} already.", user.username),
        (true, true) => format!("{} may sign in again.", user.username),
        (false, true) => format!("{} is disabled and signed out everywhere.", user.username),
    };
    Ok(Report::of(json!({ "sub": user.sub, "username": user.username, "state": state, "changed": changed })).human(human))
}

fn remove(instance: &Instance, name: &str) -> Result<Report, Failure> {
    let user = house::find_user(instance, name)?;
    let removed = instance.write(move |cx| users::remove(cx, &user.sub))?;
    Ok(Report::of(json!({ "sub": removed.sub, "username": removed.username, "removed": true })).human(format!("{} is removed.", removed.username)))
}

fn sign_in_names(names: &[SignInName]) -> Value {
    let kinds = |kind: NameKind| kind.as_str();
    names.iter().map(|name| json!({ "name": name.name, "kind": kinds(name.kind) })).collect()
}

fn insert(answer: &mut Value, name: &str, value: &str) {
    if let Some(members) = answer.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
