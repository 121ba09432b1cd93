//! What the enterprise module does with the roles and groups of an identity.

use serde_json::{Map, Value};

use super::config::Config;
use super::upsert::{Room, Workspace};

/// Roles that identity providers add for themselves.
const IGNORED: [&str; 2] = ["offline_access", "uma_authorization"];

/// Adds to channels by group and synchronises roles, on every login. Without a licence nothing happens.
pub(super) fn synchronise(workspace: &mut Workspace, config: &Config, user: usize, service: &Map<String, Value>) {
    if !config.licensed {
        return;
    }
    if config.map_channels {
        map_channels(workspace, config, user, service);
    }
    if config.merge_roles {
        merge_roles(workspace, config, user, service);
    }
}

/// Every channel of the map is made at anybody's login; members are added and never removed. A map that is no JSON maps nothing.
fn map_channels(workspace: &mut Workspace, config: &Config, user: usize, service: &Map<String, Value>) {
    let Ok(Value::Object(map)) = serde_json::from_str(&config.groups_channel_map) else { return };
    let groups = strings(service.get(&config.groups_claim));
    let id = workspace.users[user].id.clone();
    for (group, channels) in &map {
        let channels = match channels {
            Value::String(channel) => vec![channel.clone()],
            other => strings(Some(other)),
        };
        for channel in channels {
            let room = ensure_room(workspace, channel.trim(), &config.channels_admin);
            if groups.contains(group) && !room.members.contains(&id) {
                room.members.push(id.clone());
            }
        }
    }
}

fn ensure_room<'a>(workspace: &'a mut Workspace, name: &str, owner: &str) -> &'a mut Room {
    match workspace.rooms.iter().position(|room| room.name == name) {
        Some(index) => &mut workspace.rooms[index],
        None => workspace.add_room(name, owner, false),
    }
}

/// The list of roles to synchronise limits both adding and removing. A claim that is no array counts as an empty one and so removes.
fn merge_roles(workspace: &mut Workspace, config: &Config, user: usize, service: &Map<String, Value>) {
    let id_of = |wanted: &str| {
        let role = workspace.roles.iter().find(|role| role.id == wanted || role.name == wanted);
        role.map(|role| role.id.clone())
    };
    let allowed: Vec<String> = config.roles_to_sync.split(',').filter_map(|role| id_of(role.trim())).collect();
    let claimed = strings(service.get(&config.roles_claim));
    let claimed: Vec<String> = claimed.iter().filter(|role| !IGNORED.contains(&role.as_str())).filter_map(|role| id_of(role)).collect();
    let roles = &mut workspace.users[user].roles;
    roles.retain(|role| claimed.contains(role) || !allowed.contains(role));
    for role in claimed {
        if allowed.contains(&role) && !roles.contains(&role) {
            roles.push(role);
        }
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let Some(Value::Array(items)) = value else { return Vec::new() };
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
