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

/// Names the registered client nearest to one that is not, and lets only registered ones stand as the sender of a request that could not
/// be read.
pub fn complete(store: &mut dyn Store, records: &mut [RefusalRecord]) -> Result<(), Fault> {
    if !records.iter().any(|record| record.detail.cause == Cause::UnknownClient || is_unread(record)) {
        return Ok(());
    }
    let clients = store.list_clients()?;
    for record in records.iter_mut().filter(|record| is_unread(record)) {
        record.detail.client_id = record.detail.client_id.take().filter(|claimed| clients.iter().any(|client| client.client_id == *claimed));
    }
    let mut strangers: Vec<&mut RefusalRecord> = records.iter_mut().filter(|record| record.detail.cause == Cause::UnknownClient).collect();
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

/// Whether its sender was only claimed, in a request that was refused before it was looked for.
fn is_unread(record: &RefusalRecord) -> bool {
    let cause = record.detail.cause;
    let unread =
        [Cause::MalformedRequest, Cause::TwoAuthMethods, Cause::MissingScheme, Cause::MalformedBasic, Cause::WrongAuthMethod, Cause::SecretMissing];
    record.detail.client_id.is_some() && (unread.contains(&cause) || matches!(cause, Cause::WrongContentType | Cause::TokenInTwoPlaces))
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
