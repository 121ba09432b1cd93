//! `propusk export`: everybody and every client in a file, as a way home.

use crate::failure::Failure;
use crate::house;
use crate::output::Report;
use clap::{Args, ValueEnum};
use propusk_domain::client::Client;
use propusk_domain::user::{NameKind, SignInName, User};
use propusk_domain::{Cx, UnixTime};
use propusk_server::instance::Instance;
use serde_json::{Value, json};
use std::collections::BTreeMap;
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

Examples:
  propusk export community.json
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
    /// The user model of the fixture
    #[arg(long, value_name = "APP.MODEL", default_value = "auth.user")]
    user_model: String,
    /// The column of the fixture that takes the role
    #[arg(long, value_name = "COLUMN")]
    role_field: Option<String>,
    /// A role here, and what the fixture calls it; may be repeated
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
        let instance = house::open(config)?;
        let cannot = |error: std::io::Error| Failure::Failed(format!("{} cannot be written: {error}", self.file.display()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.file).map_err(cannot)?;
        let mut out = Output { file: BufWriter::new(file), first: true, failed: None };
        let counts = match self.format {
            Format::Json => self.whole(&instance, &mut out)?,
            Format::Django => self.fixture(&instance, &mut out)?,
        };
        out.finish().map_err(cannot)?;
        let human = format!("Wrote {} people and {} clients to {}\n", counts.people, counts.clients, self.file.display());
        let report = Report::of(json!({ "file": self.file, "users": counts.people, "clients": counts.clients, "without_password": counts.lost }));
        let report = report.human(human);
        Ok(match counts.lost.len() {
            0 => report,
            count => report.note(format!("{count} people have a password that Django cannot verify and have none in the fixture: --json names them")),
        })
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
        Ok(Counts { people, clients: clients.len(), lost: Vec::new() })
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
        let map: BTreeMap<&str, &str> = self.role_map.iter().map(|(ours, site)| (ours.as_str(), site.as_str())).collect();
        let mut lost = Vec::new();
        out.text("[");
        let people = each_person(instance, |row| out.element(&self.record(row, &map, &mut lost)))?;
        out.text("\n]\n");
        Ok(Counts { people, clients: 0, lost })
    }

    fn record(&self, row: &Row, role_map: &BTreeMap<&str, &str>, lost: &mut Vec<String>) -> Value {
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
            put(&mut fields, column, json!(role_map.get(user.role.as_str()).copied().unwrap_or(&user.role)));
        }
        // A number stays one; who was added here gets a new key there.
        let pk = row.site_key.as_ref().map(|key| key.parse::<i64>().map_or_else(|_| json!(key), |number| json!(number)));
        json!({ "model": self.user_model, "pk": pk, "fields": fields })
    }
}

/// What Django takes for "no password".
const UNUSABLE: &str = "!exported-without-a-password";

struct Counts {
    people: u64,
    clients: usize,
    /// Whose hash is of a kind that Django does not know.
    lost: Vec<String>,
}

/// Our own Argon2id by the name that Django's hasher has; a foreign hash as it came; a wrapped one is nothing to Django.
fn django_hash(stored: &str) -> Option<String> {
    if let Some(phc) = stored.strip_prefix('$') {
        return phc.starts_with("argon2").then(|| format!("argon2${phc}"));
    }
    (!stored.starts_with("wrapped_")).then(|| stored.to_owned())
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
        let separator = if std::mem::take(&mut self.first) { "\n" } else { ",\n" };
        self.text(separator);
        self.text(&value.to_string());
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

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=').map(|(ours, site)| (ours.to_owned(), site.to_owned())).ok_or_else(|| "must be OURS=SITE".to_owned())
}
