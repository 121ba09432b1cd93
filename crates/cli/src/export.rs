//! `propusk export`: everybody and every client in a file, as a way home.

mod onto;

use crate::failure::Failure;
use crate::house;
use crate::output::Report;
use clap::{Args, ValueEnum};
use propusk_domain::client::Client;
use propusk_domain::import::home::django_hash;
use propusk_domain::user::{NameKind, SignInName, User};
use propusk_domain::{Cx, UnixTime};
use propusk_server::instance::Instance;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
The file is readable to its owner alone. Its shape, an object with these members in this order:

  propusk_export   1
  exported_at      a moment, as every time in seconds since 1970
  issuer           the issuer
  roles            [\"owner\", …]
  role_maps        [{name, roles, groups, identity}]
  clients          [{client_id, name, preset, disabled, first_party, settings, created_at, secrets?: [{hash, created_at, expires_at}]}]
  users            [{sub, username, role, state, locale, claims, names: [{name, kind}], site_key?, created_at, updated_at, password_hash?}]

With --format django it is a fixture of a user model that `manage.py loaddata` reads: who came from a Django site has their old
primary key and name, hashes have the form of Django's hashers (argon2-cffi must be installed there).

For the site that people came from, name a fresh dump of it by --onto: loaddata sets every column of a record, and those that are
unknown here (is_superuser, groups, columns of your own) have their value from the dump then. The fixture holds who was changed here
since the import, with the password, the address, the names, is_active and the role as they are here where they differ, and who was
added here. Whoever was removed here becomes inactive. Nobody is renamed at the site. Without --onto the fixture is for an empty site.

Examples:
  propusk export community.json
  propusk export home.json --format django --onto fresh.json --with-hashes --role-field role --role-map owner=admin
  propusk export site.json --format django --with-hashes --user-model community.member --role-field role --role-map owner=admin";

/// Pages of people.
const PAGE: i64 = 500;

/// Write everybody and every client into a file
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Export {
    /// The file; it must not exist yet
    file: PathBuf,
    /// What is written
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// With the hashes of passwords and client secrets
    #[arg(long)]
    with_hashes: bool,
    /// A fresh dump of the site that people came from; its records are kept but for what was changed here
    #[arg(long, value_name = "DUMP")]
    onto: Option<PathBuf>,
    /// The user model of the fixture: auth.user, or the one of the dump
    #[arg(long, value_name = "APP.MODEL", value_parser = model_name)]
    user_model: Option<String>,
    /// The column of the fixture that takes the role
    #[arg(long, value_name = "COLUMN")]
    role_field: Option<String>,
    /// A role here, and what the fixture calls it; may be repeated. With --onto a role of the site that any of them names stays
    #[arg(long = "role-map", value_name = "OURS=SITE", value_parser = pair)]
    role_map: Vec<(String, String)>,
}

/// The form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Everything, in a documented shape
    Json,
    /// People, as a fixture for Django's loaddata
    Django,
}

/// Somebody with all that is told about them.
struct Row {
    user: User,
    names: Vec<SignInName>,
    site_key: Option<String>,
}

impl Export {
    pub(crate) fn run(self, config: Option<&Path>) -> Result<Report, Failure> {
        if self.onto.is_some() && self.format != Format::Django {
            return Err(Failure::usage("--onto needs --format django"));
        }
        let instance = house::open_existing(config)?;
        let cannot = |error: std::io::Error| Failure::Failed(format!("{} cannot be written: {error}", self.file.display()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.file).map_err(cannot)?;
        let mut out = Output { file: BufWriter::new(file), first: true, failed: None };
        if let Some(dump) = &self.onto {
            let merged = self.onto(&instance, dump, &mut out);
            return self.answer_onto(merged, out, cannot);
        }
        let counts = match self.format {
            Format::Json => self.whole(&instance, &mut out)?,
            Format::Django => self.fixture(&instance, &mut out)?,
        };
        out.finish().map_err(cannot)?;
        let human = format!("Wrote {} people and {} clients to {}\n", counts.people, counts.clients, self.file.display());
        let report = Report::of(json!({ "file": self.file, "users": counts.people, "clients": counts.clients, "without_password": counts.lost }));
        let report = report.human(human);
        let report = if self.format == Format::Django && counts.from_the_site > 0 {
            report
                .note("The fixture is for an empty site: into the one that people came from, loaddata would reset what the fixture lacks. See --onto")
        } else {
            report
        };
        Ok(match counts.lost.len() {
            0 => report,
            count => report.note(format!("{count} people have a password that Django cannot verify and have none in the fixture: --json names them")),
        })
    }

    /// A file that was begun and not finished is not left behind: loaddata might take it for a whole one.
    fn answer_onto(&self, merged: Result<onto::Merged, Failure>, out: Output, cannot: impl Fn(std::io::Error) -> Failure) -> Result<Report, Failure> {
        let merged = match merged.and_then(|merged| out.finish().map(|()| merged).map_err(&cannot)) {
            Ok(merged) => merged,
            Err(failure) => {
                std::fs::remove_file(&self.file).map_err(cannot)?;
                return Err(failure);
            }
        };
        let human = format!(
            "Wrote {} changed and {} new people to {}; {} are as at the site\n",
            merged.changed,
            merged.added,
            self.file.display(),
            merged.unchanged
        );
        let mut document = json!({ "file": self.file, "users": merged.changed + merged.added });
        onto::told(&mut document, &merged);
        let report = merged
            .left_out
            .iter()
            .take(30)
            .fold(Report::of(document).human(human), |report, (username, reason)| report.note(format!("{username} is left out: {reason}")));
        Ok(if merged.left_out.len() > 30 { report.note(format!("{} are left out: --json names them", merged.left_out.len())) } else { report })
    }

    fn whole(&self, instance: &Instance, out: &mut Output) -> Result<Counts, Failure> {
        let (roles, maps, clients) = instance.read(|cx| Ok((cx.store.list_roles()?, cx.store.list_role_maps()?, cx.store.list_clients()?)))?;
        out.text("{\n\"propusk_export\": 1");
        let members = [
            ("exported_at", json!(instance.clock.now())),
            ("issuer", json!(instance.policy.issuer)),
            ("roles", json!(roles)),
            ("role_maps", json!(maps)),
            ("clients", clients.iter().map(|client| self.client(client)).collect()),
        ];
        for (name, value) in members {
            out.text(&format!(",\n\"{name}\": {value}"));
        }
        out.text(",\n\"users\": [");
        let people = each_person(instance, |row| out.element(&self.person(row)))?;
        out.text("\n]\n}\n");
        Ok(Counts { people, clients: clients.len(), from_the_site: 0, lost: Vec::new() })
    }

    fn client(&self, client: &Client) -> Value {
        let mut told = json!({
            "client_id": client.client_id, "name": client.name, "preset": client.preset, "disabled": client.disabled,
            "first_party": client.first_party, "settings": client.settings, "created_at": client.created_at,
        });
        if self.with_hashes {
            let secrets = client.secrets.iter().map(|s| json!({ "hash": s.hash.as_str(), "created_at": s.created_at, "expires_at": s.expires_at }));
            put(&mut told, "secrets", secrets.collect());
        }
        told
    }

    fn person(&self, row: &Row) -> Value {
        let user = &row.user;
        let names: Value = row.names.iter().map(|name| json!({ "name": name.name, "kind": name.kind.as_str() })).collect();
        let mut told = json!({
            "sub": user.sub, "username": user.username, "role": user.role, "state": user.state.as_str(), "locale": user.locale,
            "claims": user.claims, "names": names, "created_at": user.created_at, "updated_at": user.updated_at,
        });
        if let Some(key) = &row.site_key {
            put(&mut told, "site_key", json!(key));
        }
        if self.with_hashes {
            put(&mut told, "password_hash", json!(user.password_hash));
        }
        told
    }

    fn fixture(&self, instance: &Instance, out: &mut Output) -> Result<Counts, Failure> {
        let model = self.user_model.as_deref().unwrap_or("auth.user");
        let (mut lost, mut from_the_site) = (Vec::new(), 0);
        out.text("[");
        let people = each_person(instance, |row| {
            from_the_site += u64::from(row.site_key.is_some());
            out.element(&self.record(row, model, &mut lost));
        })?;
        out.text("\n]\n");
        Ok(Counts { people, clients: 0, from_the_site, lost })
    }

    fn record(&self, row: &Row, model: &str, lost: &mut Vec<String>) -> Value {
        let user = &row.user;
        let password = match (&user.password_hash, self.with_hashes) {
            (Some(hash), true) => django_hash(hash).unwrap_or_else(|| {
                lost.push(user.username.clone());
                UNUSABLE.to_owned()
            }),
            _ => UNUSABLE.to_owned(),
        };
        let mut fields = json!({
            "username": site_name(row), "password": password, "email": user.claims.email.clone().unwrap_or_default(),
            "first_name": first_name(user), "last_name": user.claims.family_name.clone().unwrap_or_default(),
            "is_active": user.is_active(), "is_staff": false, "is_superuser": false,
            "date_joined": moment(user.created_at), "last_login": null, "groups": [], "user_permissions": [],
        });
        if let Some(column) = &self.role_field {
            let ours = self.role_map.iter().find(|(ours, _)| *ours == user.role);
            put(&mut fields, column, json!(ours.map_or(&user.role, |(_, site)| site)));
        }
        // A number stays one, a text with zeros before it a text; who was added here gets a new key there.
        let number = |key: &str| key.parse::<i64>().ok().filter(|number| number.to_string() == key);
        let pk = row.site_key.as_deref().map(|key| number(key).map_or_else(|| json!(key), |number| json!(number)));
        json!({ "model": model, "pk": pk, "fields": fields })
    }
}

/// What Django takes for "no password".
const UNUSABLE: &str = "!exported-without-a-password";

struct Counts {
    people: u64,
    clients: usize,
    /// How many of the people came from a site.
    from_the_site: u64,
    /// Whose hash is of a kind that Django does not know.
    lost: Vec<String>,
}

/// The name at the site: for somebody who came from there with a name that no chat takes, that name.
fn site_name(row: &Row) -> &str {
    let mut aliases = row.names.iter().filter(|name| name.kind == NameKind::Alias);
    match (&row.site_key, aliases.next(), aliases.next()) {
        (Some(_), Some(alias), None) => &alias.name,
        _ => &row.user.username,
    }
}

/// A name that was never split stands as the first one.
fn first_name(user: &User) -> String {
    let split = user.claims.given_name.clone();
    let whole = || user.claims.name.clone().filter(|_| user.claims.family_name.is_none());
    split.or_else(whole).unwrap_or_default()
}

fn moment(at: UnixTime) -> String {
    at.to_string()
}

/// Hands everybody over, page by page; how many.
fn each_person(instance: &Instance, mut hear: impl FnMut(&Row)) -> Result<u64, Failure> {
    let mut after = None::<String>;
    let mut count = 0;
    loop {
        let from = after.clone();
        let rows: Vec<Row> = instance.read(|cx| page(cx, from.as_deref()))?;
        let Some(last) = rows.last() else { return Ok(count) };
        after = Some(last.user.username.clone());
        count += rows.len() as u64;
        rows.iter().for_each(&mut hear);
    }
}

fn page(cx: &mut Cx<'_>, after: Option<&str>) -> Result<Vec<Row>, propusk_domain::Error> {
    let people = cx.store.list_users(after, None, PAGE)?;
    let row = |user: User| {
        let names = cx.store.list_sign_in_names(&user.sub)?;
        let site_key = cx.store.find_imported_by_sub(&user.sub)?.map(|row| row.site_key);
        Ok(Row { user, names, site_key })
    };
    people.into_iter().map(row).collect()
}

/// The file, written as it grows; the first failure is kept to the end.
struct Output {
    file: BufWriter<File>,
    first: bool,
    failed: Option<std::io::Error>,
}

impl Output {
    fn text(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(text.as_bytes()).err();
        }
    }

    fn element(&mut self, value: &Value) {
        self.raw(&value.to_string());
    }

    /// An element that is JSON already.
    fn raw(&mut self, json: &str) {
        let separator = if std::mem::take(&mut self.first) { "\n" } else { ",\n" };
        self.text(separator);
        self.text(json);
    }

    fn finish(mut self) -> std::io::Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.file.flush().and_then(|()| self.file.get_ref().sync_all()),
        }
    }
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// Django's models are two names of Python: that of the app and that of the class.
fn model_name(text: &str) -> Result<String, String> {
    let is_name =
        |part: &str| !part.starts_with(|c: char| c.is_numeric()) && !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
    let is_model = text.split_once('.').is_some_and(|(app, model)| is_name(app) && is_name(model));
    if is_model { Ok(text.to_owned()) } else { Err("must be APP.MODEL, such as community.member".to_owned()) }
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=').map(|(ours, site)| (ours.to_owned(), site.to_owned())).ok_or_else(|| "must be OURS=SITE".to_owned())
}
