//! `propusk apply`

use crate::failure::Failure;
use crate::house;
use crate::input;
use crate::output::{FINDINGS, Report, short};
use clap::Args;
use propusk_crypto::{Secret, Verdict};
use propusk_domain::admin::apply::{self, Action, Applied, Difference, Kind, Rehearsed};
use propusk_domain::admin::declaration::{Declaration, Material, Password, UserEntry};
use propusk_domain::user::{User, name_key};
use propusk_protocol::limits::holds_nul;
use propusk_server::instance::Instance;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Doing it again changes nothing; what the file does not name stays as it is. Generated passwords and secrets are shown once,
when the person or client comes into being. With --prune a section that is present is complete: what it does not name goes.

The file:
  roles = [\"owner\", \"moderator\", \"user\"]
  [role_maps.forum.roles]
  owner = [\"admin\"]
  [[users]]
  username = \"anna\"
  role = \"owner\"
  email = \"anna@example.org\"
  generate_password = true            # or password_file = \"anna.password\"
  [[clients]]
  client_id = \"site\"
  preset = \"web\"
  redirect_uris = [\"https://example.org/callback\"]

Examples:
  propusk apply community.toml --plan
  propusk apply community.toml
  propusk apply community.toml --prune --json";

/// Bring people, clients and role maps into the state that a file declares
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Apply {
    /// The declaration (TOML); paths in it are relative to it
    file: PathBuf,
    /// Only show what would change; exit code 3 when something would
    #[arg(long)]
    plan: bool,
    /// Remove what a section of the file does not name
    #[arg(long)]
    prune: bool,
}

/// (username, password) of those that were generated.
type Generated = Vec<(String, Secret)>;

impl Apply {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        let wanted = read(&self.file)?;
        let instance = house::open(config)?;
        let directory = self.file.parent().unwrap_or(Path::new(""));
        let (material, generated) = prepare(&instance, &wanted, directory, self.plan)?;
        let prune = self.prune;
        if self.plan {
            let Err(rehearsed) = instance.write(move |cx| Rehearsed::play(cx, &wanted, &material, prune));
            let differences = Rehearsed::differences(rehearsed)?;
            let changed = differs(&differences);
            let human = render(&differences) + if changed { "" } else { "Nothing would change.\n" };
            let report = Report::of(json!({ "changed": changed, "differences": differences })).human(human);
            return Ok(if changed { report.exit_code(FINDINGS) } else { report });
        }
        let applied = instance.write(move |cx| apply::execute(cx, &wanted, &material, prune))?;
        Ok(answer(&applied, &generated))
    }
}

fn read(file: &Path) -> Result<Declaration, Failure> {
    let text = input::text_of(file)?;
    let wrong = |why: &str| Failure::Failed(format!("{}: {why}", file.display()));
    let declaration = toml::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
    // TOML can say U+0000 and PostgreSQL cannot keep it.
    if toml::from_str(&text).is_ok_and(|json| holds_nul(&json)) {
        return Err(wrong("a text in it contains the character U+0000"));
    }
    Ok(declaration)
}

/// Reads, generates and hashes everything secret before the transaction: hashing takes 20 ms a person. A plan hashes nothing.
fn prepare(instance: &Instance, wanted: &Declaration, directory: &Path, plan: bool) -> Result<(Material, Generated), Failure> {
    let (mut material, mut generated) = (Material::default(), Vec::new());
    for entry in wanted.users.iter().flatten() {
        if entry.generate_password && entry.password_file.is_some() {
            return Err(Failure::Failed(format!("users.{}: generate_password and password_file exclude each other", entry.username)));
        }
        let existing = find(instance, &entry.username)?;
        let Some((password, only_for_new)) = password_of(instance, entry, existing.as_ref(), directory)? else { continue };
        let hash = if plan { String::new() } else { house::hash(instance, &password)? };
        material.passwords.insert(entry.username.clone(), Password { hash, only_for_new });
        if entry.generate_password {
            generated.push((entry.username.clone(), password));
        }
    }
    for entry in wanted.clients.iter().flatten() {
        if let Some(file) = &entry.secret_file {
            material.secrets.insert(entry.client_id.clone(), input::from_file(&directory.join(file))?);
        }
    }
    Ok((material, generated))
}

/// The password that has to be hashed, and whether it only counts for a person who does not exist yet.
fn password_of(instance: &Instance, entry: &UserEntry, existing: Option<&User>, directory: &Path) -> Result<Option<(Secret, bool)>, Failure> {
    if entry.generate_password {
        return Ok(existing.is_none().then(|| (input::generate_password(), true)));
    }
    let Some(file) = &entry.password_file else { return Ok(None) };
    let password = input::from_file(&directory.join(file))?;
    if password.expose().is_empty() {
        return Err(Failure::Failed(format!("{} holds no password", file.display())));
    }
    let Some(user) = existing else { return Ok(Some((password, false))) };
    let verdict = match user.password_hash.as_deref() {
        Some(hash) => house::hasher(instance)?.verify(password.expose(), Some(hash)),
        None => Verdict::Wrong,
    };
    Ok((!matches!(verdict, Verdict::Right { .. })).then_some((password, false)))
}

fn find(instance: &Instance, username: &str) -> Result<Option<User>, Failure> {
    let key = name_key(username);
    let user = instance.read(|cx| Ok(cx.store.find_user_by_name(&key)?))?;
    Ok(user.filter(|user| name_key(&user.username) == key))
}

fn answer(applied: &Applied, generated: &Generated) -> Report {
    let created = |username: &str| {
        applied.differences.iter().any(|difference| difference.kind == Kind::User && difference.action == Action::Create && difference.id == username)
    };
    let users: Vec<&(String, Secret)> = generated.iter().filter(|(username, _)| created(username)).collect();
    let changed = differs(&applied.differences);
    let mut human = render(&applied.differences);
    for (username, password) in &users {
        human += &format!("password of {username}: {}   (shown this once)\n", password.expose());
    }
    for (client_id, secret) in &applied.secrets {
        human += &format!("client_secret of {client_id}: {}   (shown this once)\n", secret.expose());
    }
    if !changed {
        human += "Nothing changed.\n";
    }
    let users: Value = users.iter().map(|(username, password)| json!({ "username": username, "password": password.expose() })).collect();
    let clients: Value =
        applied.secrets.iter().map(|(client_id, secret)| json!({ "client_id": client_id, "client_secret": secret.expose() })).collect();
    Report::of(json!({ "changed": changed, "differences": applied.differences, "credentials": { "users": users, "clients": clients } })).human(human)
}

fn differs(differences: &[Difference]) -> bool {
    differences.iter().any(|difference| difference.action != Action::Unchanged)
}

fn render(differences: &[Difference]) -> String {
    let mut text = String::new();
    for difference in differences.iter().filter(|difference| difference.action != Action::Unchanged) {
        let sign = match difference.action {
            Action::Create => '+',
            Action::Change => '~',
            Action::Remove => '-',
            Action::Unchanged => ' ',
        };
        text += &format!("{sign} {} {}\n", difference.kind.as_str(), difference.id);
        if difference.action == Action::Change {
            text.extend(difference.fields.iter().map(|field| format!("    {}: {} → {}\n", field.name, short(&field.from), short(&field.to))));
        }
    }
    text
}
