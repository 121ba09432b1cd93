//! Where the records come from: a file of `dumpdata`, or the site's database.

use super::elements::{Element, Elements};
use crate::failure::Failure;
use propusk_domain::error::printable;
use propusk_domain::import::Record;
use propusk_storage::{Membership, SiteDatabase, SiteRow, SiteTable};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

/// An opened source.
pub(crate) enum Source {
    File(PathBuf),
    Database(Box<SiteDatabase>, Vec<SiteTable>),
}

/// A record, or why one cannot be read: its place and the reason.
pub(crate) type Item = Result<Record, (String, String)>;

/// The models that have a part in the import, by their shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    User,
    Group,
    /// An address that django-allauth keeps, with whether it was verified.
    EmailAddress,
    Application,
    AccessToken,
    RefreshToken,
}

impl Kind {
    /// What a model with these columns is.
    pub(crate) fn of(model: &str, has: impl Fn(&str) -> bool) -> Option<Self> {
        let refers = |name: &str| has(name) || has(&format!("{name}_id"));
        if has("client_id") && has("client_secret") && has("authorization_grant_type") {
            return Some(Self::Application);
        }
        if has("token") && refers("application") && has("expires") && has("scope") {
            return Some(Self::AccessToken);
        }
        if has("token") && refers("application") && refers("access_token") {
            return Some(Self::RefreshToken);
        }
        if has("email") && has("verified") && refers("user") {
            return Some(Self::EmailAddress);
        }
        if has("password") && has("is_active") && (has("username") || has("email")) {
            return Some(Self::User);
        }
        matches!(model, "auth.group" | "auth_group").then_some(Self::Group)
    }
}

/// How many records there are of each model that has a part.
pub(crate) type Survey = BTreeMap<(Kind, String), u64>;

impl Source {
    /// Opens the database of a site.
    pub(crate) fn database(url: &str) -> Result<Self, Failure> {
        let unreachable = |fault: propusk_domain::Fault| Failure::Unreachable(format!("the site's database cannot be read: {fault}"));
        let mut site = SiteDatabase::open(url).map_err(unreachable)?;
        let tables = site.tables().map_err(unreachable)?;
        Ok(Self::Database(Box::new(site), tables))
    }

    /// Hands over every record of the models that `wanted` picks.
    pub(crate) fn each(
        &mut self,
        mut wanted: impl FnMut(Kind, &str) -> bool,
        mut hear: impl FnMut(Kind, Item) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self {
            Self::File(path) => {
                let cannot = |error: std::io::Error| Failure::Unreachable(format!("{} cannot be read: {error}", path.display()));
                let mut elements = Elements::new(BufReader::with_capacity(64 * 1024, File::open(&*path).map_err(cannot)?));
                let broken = |error| Failure::Failed(format!("{}: {error}", path.display()));
                while let Some(element) = elements.next().map_err(broken)? {
                    let item = match element {
                        Element::Broken(place, reason) => Err((format!("record {place}"), reason.to_owned())),
                        Element::Record(text) => Record::parse(&text).map_err(|reason| (text.chars().take(60).collect(), reason)),
                    };
                    match item {
                        Ok(record) => {
                            let Some(kind) = Kind::of(&record.model, |name| record.fields.contains_key(name)) else { continue };
                            if wanted(kind, &record.model) {
                                hear(kind, sound(record))?;
                            }
                        }
                        // Of which model it was is not known; people are the ones that matter.
                        Err(reason) => {
                            if wanted(Kind::User, "") {
                                hear(Kind::User, Err(reason))?;
                            }
                        }
                    }
                }
                Ok(())
            }
            Self::Database(site, tables) => {
                for table in tables.iter() {
                    let Some(kind) = Kind::of(&table.name, |name| table.has(&[name])) else { continue };
                    if !wanted(kind, &table.name) {
                        continue;
                    }
                    let groups = (kind == Kind::User).then(|| membership(tables, table)).flatten();
                    site.each(table, groups.as_ref(), |row| hear(kind, record_of(table, row)))?;
                }
                Ok(())
            }
        }
    }

    /// The columns of a model: those of its table, or all that any of its records has.
    pub(crate) fn columns(&mut self, model: &str) -> Result<BTreeSet<String>, Failure> {
        if let Self::Database(_, tables) = self {
            return Ok(tables.iter().filter(|table| table.name == model).flat_map(|table| table.columns.iter().cloned()).collect());
        }
        let mut columns = BTreeSet::new();
        self.each(
            |kind, name| kind == Kind::User && name == model,
            |_, item| {
                if let Ok(record) = item {
                    columns
                        .extend(record.fields.into_iter().map(|(column, _)| column).filter(|column| !columns.contains(column)).collect::<Vec<_>>());
                }
                Ok(())
            },
        )?;
        Ok(columns)
    }

    /// Counts the records of each model, and reads a file to its end, so that nothing is written of one that is cut off.
    pub(crate) fn survey(&mut self) -> Result<Survey, Failure> {
        let mut survey = Survey::new();
        if let Self::Database(site, tables) = self {
            for table in tables.iter() {
                if let Some(kind) = Kind::of(&table.name, |name| table.has(&[name])) {
                    survey.insert((kind, table.name.clone()), site.count(table)?);
                }
            }
            return Ok(survey);
        }
        self.each(
            |_, _| true,
            |kind, item| {
                if let Ok(record) = item {
                    *survey.entry((kind, record.model)).or_default() += 1;
                }
                Ok(())
            },
        )?;
        Ok(survey)
    }
}

/// The one model that looks like a user, or the one that was named.
pub(crate) fn user_model(survey: &Survey, named: Option<&str>) -> Result<String, Failure> {
    let models: Vec<&str> = survey.keys().filter(|(kind, _)| *kind == Kind::User).map(|(_, model)| model.as_str()).collect();
    match (named, models.as_slice()) {
        (Some(named), _) => {
            let named = named.to_lowercase();
            let found = models.iter().find(|model| **model == named || **model == named.replace('.', "_"));
            found
                .map(|model| (*model).to_owned())
                .ok_or_else(|| Failure::Failed(format!("{named} is no user model; there are: {}", models.join(", "))))
        }
        (None, [model]) => Ok((*model).to_owned()),
        (None, []) => Err(Failure::Failed("no model has the columns of a user: password, is_active, and username or email".to_owned())),
        (None, _) => Err(Failure::Failed(format!("several models look like users, name one by --user-model: {}", models.join(", ")))),
    }
}

/// `auth_user_groups (id, user_id, group_id)` for `auth_user`.
fn membership(tables: &[SiteTable], users: &SiteTable) -> Option<Membership> {
    let table = tables.iter().find(|table| table.name == format!("{}_groups", users.name) && table.has(&["group_id"]))?;
    let owner = table.columns.iter().find(|column| column.ends_with("_id") && *column != "group_id")?;
    Some(Membership { table: table.name.clone(), owner: owner.clone(), member: "group_id".to_owned() })
}

fn record_of(table: &SiteTable, row: SiteRow) -> Item {
    let SiteRow { key, body } = row;
    let place = || format!("{} {}", table.name, printable(&key));
    let body = body.map_err(|reason| (place(), reason.to_owned()))?;
    let fields: Map<String, Value> = serde_json::from_str(&body).map_err(|error| (place(), error.to_string()))?;
    let key = table.key.as_ref().and_then(|key| fields.get(key)).and_then(propusk_domain::import::key_text).unwrap_or_default();
    sound(Record { model: table.name.clone(), key, fields })
}

/// A record that the database can keep; one that it cannot is left out as a whole, because half of it may mean something else.
fn sound(record: Record) -> Item {
    if record.holds_nul() {
        return Err((format!("{} {}", record.model, printable(&record.key)), "a text in it contains the character U+0000".to_owned()));
    }
    Ok(record)
}
