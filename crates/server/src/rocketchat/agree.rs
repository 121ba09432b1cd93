//! Makes one account of the chat agree with the person: found, compared, changed where it differs. Doing it again changes nothing.

use super::rest::RestError;
use super::workspace::{Account, Workspace};
use propusk_domain::chat::Wanted;
use serde::Serialize;
use serde_json::{Value, json};

/// The role that everybody has there; it is given and never taken.
const BASE_ROLE: &str = "user";

/// The role that must never be without a holder.
const ADMIN_ROLE: &str = "admin";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The person's account.
    Account(Account),
    /// None yet.
    Nobody,
    /// One of that name, but not certainly theirs: nothing is done to it.
    Foreign(String),
}

/// One difference between the chat and what should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// To which role or channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
}

/// What is done to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It gets a role.
    AddRole,
    /// It loses a role.
    RemoveRole,
    /// It becomes a member of a channel.
    Invite,
    /// It is taken out of a channel.
    Kick,
    /// It may be used again.
    Activate,
    /// It may not be used any more.
    Deactivate,
}

/// What an account has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreed {
    /// What was, or with a plan would be, changed.
    pub changes: Vec<Change>,
    /// What cannot be, and why.
    pub notes: Vec<String>,
}

/// Finds the account: by the one that is known, by username, by the subject that the chat shows, by verified e-mail address.
///
/// A name alone proves nothing: whoever registers in the chat under a moderator's name must not be given a moderator's rights.
pub fn find(workspace: &mut Workspace, wanted: &Wanted, known: Option<&str>) -> Result<Found, RestError> {
    if let Some(id) = known
        && let Some(account) = account_by_id(workspace, id)?
        && account.subject.as_ref().is_none_or(|subject| *subject == wanted.sub)
    {
        return Ok(Found::Account(account));
    }
    let mut foreign = None;
    if let Some(account) = account_by_name(workspace, &wanted.username)? {
        if is_theirs(&account, wanted) {
            return Ok(Found::Account(account));
        }
        foreign =
            Some(format!("the chat's account {} is not known to be theirs: no sign-in through here, and another e-mail address", wanted.username));
    }
    let accounts = workspace.accounts()?;
    let by_subject = accounts.iter().find(|account| account.subject.as_deref() == Some(&wanted.sub));
    let by_email = || accounts.iter().find(|account| account.subject.is_none() && has_email(account, wanted));
    Ok(match (by_subject.or_else(by_email), foreign) {
        (Some(account), _) => Found::Account(account.clone()),
        (None, Some(reason)) => Found::Foreign(reason),
        (None, None) => Found::Nobody,
    })
}

fn account_by_id(workspace: &mut Workspace, id: &str) -> Result<Option<Account>, RestError> {
    match workspace.known_accounts() {
        Some(accounts) => Ok(accounts.iter().find(|account| account.id == id).cloned()),
        None => workspace.account("userId", id),
    }
}

fn account_by_name(workspace: &mut Workspace, username: &str) -> Result<Option<Account>, RestError> {
    match workspace.known_accounts() {
        Some(accounts) => Ok(accounts.iter().find(|account| account.username.as_deref() == Some(username)).cloned()),
        None => workspace.account("username", username),
    }
}

fn is_theirs(account: &Account, wanted: &Wanted) -> bool {
    account.subject.as_ref().map_or_else(|| has_email(account, wanted), |subject| *subject == wanted.sub)
}

fn has_email(account: &Account, wanted: &Wanted) -> bool {
    wanted.email.as_ref().is_some_and(|email| account.emails.contains(email))
}

/// Changes what differs; with `plan` only says so. `deactivated` tells that the account was switched off from here: one that the
/// chat's own administrators have switched off stays off.
pub fn agree(workspace: &mut Workspace, wanted: &Wanted, account: &Account, deactivated: bool, plan: bool) -> Result<Agreed, RestError> {
    let mut agreed = Agreed::default();
    if !wanted.active {
        if account.active && account.id == workspace.own_id {
            agreed.notes.push("the connector's own account is not switched off".to_owned());
        } else if account.active {
            set_active(workspace, account, false, plan, &mut agreed)?;
        }
        return Ok(agreed);
    }
    if !account.active && deactivated {
        set_active(workspace, account, true, plan, &mut agreed)?;
    } else if !account.active {
        agreed.notes.push("switched off in the chat, and stays so".to_owned());
        return Ok(agreed);
    }
    agree_roles(workspace, wanted, account, plan, &mut agreed)?;
    agree_channels(workspace, wanted, account, plan, &mut agreed)?;
    Ok(agreed)
}

fn set_active(workspace: &Workspace, account: &Account, active: bool, plan: bool, agreed: &mut Agreed) -> Result<(), RestError> {
    if !plan {
        let body = json!({ "userId": account.id, "activeStatus": active, "confirmRelinquish": true });
        match workspace.rest.post("users.setActiveStatus", &body) {
            Err(error) if error.is("error-action-not-allowed") => {
                agreed.notes.push("the last administrator is not switched off".to_owned());
                return Ok(());
            }
            answer => answer?,
        };
    }
    agreed.changes.push(Change { action: if active { Action::Activate } else { Action::Deactivate }, what: None });
    Ok(())
}

fn agree_roles(workspace: &mut Workspace, wanted: &Wanted, account: &Account, plan: bool, agreed: &mut Agreed) -> Result<(), RestError> {
    let Some(username) = account.username.clone() else {
        agreed.notes.push("has yet to choose a username in the chat".to_owned());
        return Ok(());
    };
    let (mut adding, mut removing) = (Vec::new(), Vec::new());
    for role in workspace.roles()? {
        let named = |set: &std::collections::BTreeSet<String>| set.contains(&role.id) || set.contains(&role.name);
        match (named(&wanted.roles), account.roles.contains(&role.id)) {
            (true, false) => adding.push(role.clone()),
            (false, true) if named(&wanted.managed_roles) && role.id != BASE_ROLE => removing.push(role.clone()),
            _ => {}
        }
    }
    // Given before taken: whoever moves from one role to another is never without both.
    for role in adding {
        let body = role_body(workspace, &username, &role.id, &role.name)?;
        if tolerate(plan, workspace, "roles.addUserToRole", &body, "error-user-already-in-role")? {
            agreed.changes.push(Change { action: Action::AddRole, what: Some(role.name) });
        }
    }
    for role in removing {
        if role.id == ADMIN_ROLE && keeps_admin(workspace, account)? {
            agreed.notes.push("stays administrator: the last one, or the connector's own account".to_owned());
            continue;
        }
        let body = role_body(workspace, &username, &role.id, &role.name)?;
        match tolerate(plan, workspace, "roles.removeUserFromRole", &body, "error-user-not-in-role") {
            Ok(true) => agreed.changes.push(Change { action: Action::RemoveRole, what: Some(role.name) }),
            Ok(false) => {}
            Err(error) if error.is("error-admin-required") => agreed.notes.push("stays administrator: the last one".to_owned()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether taking the administrator's role away would leave nobody with it, or the connector without it.
fn keeps_admin(workspace: &mut Workspace, account: &Account) -> Result<bool, RestError> {
    let own = account.id == workspace.own_id;
    let others = |other: &&Account| other.active && other.id != account.id && other.roles.contains(ADMIN_ROLE);
    Ok(own || workspace.accounts()?.iter().find(others).is_none())
}

/// Up to 7.x a role goes by its name; from 8.0 by its id alone, and a member that is not known is refused.
fn role_body(workspace: &mut Workspace, username: &str, id: &str, name: &str) -> Result<Value, RestError> {
    Ok(if workspace.major()? >= 8 {
        json!({ "username": username, "roleId": id })
    } else {
        json!({ "username": username, "roleId": id, "roleName": name })
    })
}

fn agree_channels(workspace: &mut Workspace, wanted: &Wanted, account: &Account, plan: bool, agreed: &mut Agreed) -> Result<(), RestError> {
    for name in &wanted.managed_channels {
        let Some(room) = workspace.room(name, plan)? else {
            if wanted.channels.contains(name) {
                agreed.notes.push(format!("there is no channel {name} that the connector's account sees"));
            }
            continue;
        };
        let kind = if room.private { "groups" } else { "channels" };
        let (is_member, belongs) = (workspace.is_member(&room, account)?, wanted.channels.contains(name));
        if is_member == belongs {
            continue;
        }
        let (verb, action, settled) =
            if belongs { ("invite", Action::Invite, "error-user-already-in-room") } else { ("kick", Action::Kick, "error-user-not-in-room") };
        let body = json!({ "roomId": room.id, "userId": account.id });
        match tolerate(plan, workspace, &format!("{kind}.{verb}"), &body, settled) {
            Ok(true) => agreed.changes.push(Change { action, what: Some(name.clone()) }),
            Ok(false) => {}
            Err(error) if error.is("error-you-are-last-owner") => agreed.notes.push(format!("stays in {name}: its last owner")),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Posts, unless it is a plan. False when the chat says that it is so already (`settled`): another process was faster.
fn tolerate(plan: bool, workspace: &Workspace, endpoint: &str, body: &Value, settled: &str) -> Result<bool, RestError> {
    if plan {
        return Ok(true);
    }
    match workspace.rest.post(endpoint, body) {
        Ok(_) => Ok(true),
        Err(error) if error.is(settled) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Action {
    /// The name in plans and in the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddRole => "add role",
            Self::RemoveRole => "remove role",
            Self::Invite => "invite into",
            Self::Kick => "take out of",
            Self::Activate => "switch on",
            Self::Deactivate => "switch off",
        }
    }
}

/// Changes as one line.
pub fn told(changes: &[Change]) -> String {
    let one = |change: &Change| match &change.what {
        Some(what) => format!("{} {what}", change.action.as_str()),
        None => change.action.as_str().to_owned(),
    };
    changes.iter().map(one).collect::<Vec<_>>().join(", ")
}
