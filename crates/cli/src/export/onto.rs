//! `propusk export --format django --onto DUMP`: the records of people who are different here, each as the dump has it but for what
//! was changed, so that `loaddata` into the site that they came from resets nothing.

use super::{Export, Output, Row, put};
use crate::failure::Failure;
use crate::import::elements::{Element, Elements};
use crate::import::source::{Kind, Survey, user_model};
use propusk_domain::Cx;
use propusk_domain::import::Record;
use propusk_domain::import::home::{HomeChoices, Homecomer, changes};
use propusk_server::instance::Instance;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Records of one read transaction.
const BATCH: usize = 200;

/// Findings that are listed one by one.
const LISTED: usize = 10_000;

/// What became of everybody.
#[derive(Default)]
pub(super) struct Merged {
    pub(super) changed: u64,
    pub(super) unchanged: u64,
    pub(super) added: u64,
    /// Username and the reason.
    pub(super) left_out: Vec<(String, String)>,
}

/// A record of the dump, whose values stay as they are written there: to the last digit.
#[derive(Deserialize)]
struct Fixture {
    model: Box<RawValue>,
    pk: Option<Box<RawValue>>,
    fields: BTreeMap<String, Box<RawValue>>,
}

/// What the dump has, to tell who is missing there and whose name is taken.
#[derive(Default)]
struct Site {
    keys: HashSet<String>,
    names: HashSet<String>,
    columns: BTreeSet<String>,
    /// The model as the dump writes it.
    model: String,
}

impl Export {
    /// Writes the changed and the new people.
    pub(super) fn onto(&self, instance: &Instance, dump: &Path, out: &mut Output) -> Result<Merged, Failure> {
        let model = self.model_of(dump)?;
        let (choices, mut merged, mut site) = (self.home_choices(), Merged::default(), Site::default());
        out.text("[");
        let mut batch = Vec::with_capacity(BATCH);
        each_record(dump, |text, record| {
            if record.model != model {
                return Ok(());
            }
            site.learn(&record, text);
            batch.push((record, text.to_owned()));
            if batch.len() == BATCH {
                merge(instance, &std::mem::take(&mut batch), &choices, &mut merged, out)?;
            }
            Ok(())
        })?;
        merge(instance, &batch, &choices, &mut merged, out)?;
        super::each_person(instance, |row| self.newcomer(row, &site, &mut merged, out))?;
        out.text("\n]\n");
        Ok(merged)
    }

    fn home_choices(&self) -> HomeChoices {
        HomeChoices { role_field: self.role_field.clone(), role_map: self.role_map.clone(), with_hashes: self.with_hashes }
    }

    /// The user model of the dump, which is read to its end before anything is written.
    fn model_of(&self, dump: &Path) -> Result<String, Failure> {
        let mut survey = Survey::new();
        each_record(dump, |_, record| {
            if let Some(kind) = Kind::of(&record.model, |name| record.fields.contains_key(name)) {
                *survey.entry((kind, record.model)).or_default() += 1;
            }
            Ok(())
        })?;
        user_model(&survey, self.user_model.as_deref())
    }

    /// Somebody who was added here gets a record with the columns that the model has. A name that the site has is somebody else's,
    /// as far as anybody knows.
    fn newcomer(&self, row: &Row, site: &Site, merged: &mut Merged, out: &mut Output) {
        let username = &row.user.username;
        let reason = match &row.site_key {
            Some(key) if site.keys.contains(key) => return,
            Some(key) => format!("the dump has no record {key}, from which the person came"),
            None if site.names.contains(super::site_name(row)) => "somebody at the site has the name, and did not come from there".to_owned(),
            None => {
                let mut record = self.record(row, &site.model, &mut Vec::new());
                if let Some(fields) = record.get_mut("fields").and_then(Value::as_object_mut) {
                    fields.retain(|column, _| site.columns.contains(column));
                }
                merged.added += 1;
                out.element(&record);
                return;
            }
        };
        if merged.left_out.len() < LISTED {
            merged.left_out.push((username.clone(), reason));
        }
    }
}

impl Site {
    fn learn(&mut self, record: &Record, text: &str) {
        if self.columns.is_empty() {
            self.columns = record.fields.keys().cloned().collect();
            let whole: Value = serde_json::from_str(text).unwrap_or_default();
            whole.get("model").and_then(Value::as_str).unwrap_or_default().clone_into(&mut self.model);
        }
        self.keys.insert(record.key.clone());
        self.names.extend(record.text("username").map(str::to_owned));
    }
}

fn merge(instance: &Instance, batch: &[(Record, String)], choices: &HomeChoices, merged: &mut Merged, out: &mut Output) -> Result<(), Failure> {
    let people = instance.read(|cx| batch.iter().map(|(record, _)| homecomer(cx, record)).collect::<Result<Vec<_>, _>>())?;
    for ((record, text), person) in batch.iter().zip(people) {
        // Who was never taken over is the site's alone.
        let Some(person) = person else { continue };
        let changed = changes(record, &person, choices).map_err(propusk_domain::Error::from)?;
        if changed.is_empty() {
            merged.unchanged += 1;
            continue;
        }
        let broken = |error: serde_json::Error| Failure::Failed(format!("record {} of the dump cannot be read: {error}", record.key));
        let mut fixture: Fixture = serde_json::from_str(text).map_err(broken)?;
        for (column, value) in &changed {
            fixture.fields.insert(column.clone(), to_raw_value(value).map_err(broken)?);
        }
        merged.changed += 1;
        out.raw(&fixture.text().map_err(broken)?);
    }
    Ok(())
}

fn homecomer(cx: &mut Cx<'_>, record: &Record) -> Result<Option<Homecomer>, propusk_domain::Error> {
    let Some(row) = cx.store.find_imported_user(&record.key)? else { return Ok(None) };
    let here = match cx.store.find_user(&row.sub)? {
        Some(user) => {
            let names = cx.store.list_sign_in_names(&user.sub)?;
            Some((user, names))
        }
        None => None,
    };
    Ok(Some(Homecomer { here, row }))
}

impl Fixture {
    fn text(&self) -> Result<String, serde_json::Error> {
        let pk = self.pk.as_ref().map_or("null", |pk| pk.get());
        Ok(format!("{{\"model\":{},\"pk\":{pk},\"fields\":{}}}", self.model.get(), serde_json::to_string(&self.fields)?))
    }
}

/// Hands over the text and the record of each element; what cannot be read stays as it is at the site, because it is not written.
fn each_record(dump: &Path, mut hear: impl FnMut(&str, Record) -> Result<(), Failure>) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::Unreachable(format!("{} cannot be read: {error}", dump.display()));
    let mut elements = Elements::new(BufReader::with_capacity(64 * 1024, File::open(dump).map_err(cannot)?));
    while let Some(element) = elements.next().map_err(|error| Failure::Failed(format!("{}: {error}", dump.display())))? {
        if let Element::Record(text) = element
            && let Ok(record) = Record::parse(&text)
        {
            hear(&text, record)?;
        }
    }
    Ok(())
}

/// The answer as JSON.
pub(super) fn told(document: &mut Value, merged: &Merged) {
    let left: Value = merged.left_out.iter().map(|(username, reason)| serde_json::json!({ "username": username, "reason": reason })).collect();
    for (name, value) in [("changed", merged.changed), ("unchanged", merged.unchanged), ("added", merged.added)] {
        put(document, name, value.into());
    }
    put(document, "left_out", left);
}
