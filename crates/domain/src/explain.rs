//! What only a look at what is registered can add to the record of a refusal. It is done where the records are written, off the request
//! path: no answer waits for it, and neither an answer nor its time tells a stranger what is registered.

use crate::cause::Cause;
use crate::client_auth::CORRECT_OR_REGISTER;
use crate::error::Fault;
use crate::records::RefusalRecord;
use crate::store::Store;
use propusk_protocol::nearest_identifier;
use std::collections::HashMap;

/// How many different identifiers are compared for one batch: under a flood the rest goes without.
const COMPARED: usize = 16;

/// Names the registered client nearest to one that is not.
pub fn complete(store: &mut dyn Store, records: &mut [RefusalRecord]) -> Result<(), Fault> {
    let mut strangers: Vec<&mut RefusalRecord> = records.iter_mut().filter(|record| record.detail.cause == Cause::UnknownClient).collect();
    if strangers.is_empty() {
        return Ok(());
    }
    let clients = store.list_clients()?;
    let mut compared: HashMap<String, Option<(&str, bool)>> = HashMap::new();
    for record in &mut strangers {
        let Some(presented) = record.detail.received.clone() else { continue };
        if compared.len() >= COMPARED && !compared.contains_key(&presented) {
            continue;
        }
        let nearest = *compared
            .entry(presented)
            .or_insert_with_key(|presented| nearest_identifier(clients.iter().map(|client| client.client_id.as_str()), presented));
        if let Some((nearest, is_slip)) = nearest {
            name_nearest(record, nearest, is_slip);
        }
    }
    Ok(())
}

/// A slip of the pen is mended in the application: no command is offered that would register it.
fn name_nearest(record: &mut RefusalRecord, nearest: &str, is_slip: bool) {
    record.detail.nearest = Some(nearest.to_owned());
    if !is_slip {
        return;
    }
    let fixes = std::mem::take(&mut record.detail.fix);
    record.detail.fix.push(format!("set the client id {nearest} in the application's settings"));
    let rest = fixes.into_iter().filter(|fix| fix != CORRECT_OR_REGISTER);
    record.detail.fix.extend(rest.map(|fix| match fix.strip_prefix("propusk ") {
        Some(_) => format!("only if it is another application, register it: {fix}"),
        None => fix,
    }));
}
