//! `channels.…` for public rooms and `groups.…` for private ones; each is blind to the other's.

use serde_json::{Value, json};

use super::answer::{Answer, Handled};
use super::http::Incoming;
use super::state::State;
use super::users;
use crate::rocketchat::Room;

/// Names that no room may have.
const RESERVED: [&str; 7] = ["admin", "administrator", "all", "channel", "here", "system", "user"];

pub(super) fn handle(state: &mut State, request: &Incoming, endpoint: &str) -> Handled {
    let (kind, verb) = endpoint.split_once('.').unwrap_or((endpoint, ""));
    let private = kind == "groups";
    let caller = state.caller(request)?;
    match (request.method.as_str(), verb) {
        ("GET", "list") => list(state, request, &caller, private),
        ("GET", "listAll") if private => list_all(state, request, &caller),
        ("GET", "info") => {
            let index = find(state, request, &caller, private)?;
            Ok(answer(&state.chat.workspace.rooms[index]))
        }
        ("GET", "members") => members(state, request, &caller, private),
        ("POST", "create") => create(state, request, &caller, private),
        ("POST", "invite") => invite(state, request, &caller, private),
        ("POST", "kick") => kick(state, request, &caller, private),
        _ => Err(Answer::not_found()),
    }
}

fn list(state: &State, request: &Incoming, caller: &str, private: bool) -> Handled {
    if !private && !state.may(caller, "view-c-room") {
        return Err(Answer::forbidden());
    }
    let seen = |room: &&Room| room.private == private && (!private || room.members.iter().any(|member| member == caller));
    let rooms: Vec<Value> = state.chat.workspace.rooms.iter().filter(seen).map(shown).collect();
    State::page(request, if private { "groups" } else { "channels" }, &rooms)
}

fn list_all(state: &State, request: &Incoming, caller: &str) -> Handled {
    if !state.may(caller, "view-room-administration") {
        return Err(Answer::forbidden());
    }
    let rooms: Vec<Value> = state.chat.workspace.rooms.iter().filter(|room| room.private).map(shown).collect();
    State::page(request, "groups", &rooms)
}

fn members(state: &State, request: &Incoming, caller: &str, private: bool) -> Handled {
    let room = &state.chat.workspace.rooms[find(state, request, caller, private)?];
    let users = room.members.iter().filter_map(|id| state.chat.workspace.users.iter().find(|user| user.id == *id));
    let members: Vec<Value> = users.map(|user| json!({ "_id": user.id, "username": user.username, "name": user.name })).collect();
    State::page(request, "members", &members)
}

fn create(state: &mut State, request: &Incoming, caller: &str, private: bool) -> Handled {
    if !state.may(caller, if private { "create-p" } else { "create-c" }) {
        return Err(Answer::forbidden());
    }
    let name = request.text("name").ok_or_else(|| Answer::invalid_params("Body parameter \"name\" is required."))?;
    let names = State::strings(request, "members")?;
    let valid = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !valid || RESERVED.contains(&name.to_lowercase().as_str()) {
        return Err(Answer::error("error-invalid-room-name", &format!("{name} is not a valid room name.")));
    }
    if state.chat.workspace.rooms.iter().any(|room| room.name == name) {
        return Err(Answer::error("error-duplicate-channel-name", &format!("A channel with name '{name}' exists")));
    }
    let mut ids = vec![caller.to_owned()];
    ids.extend(names.iter().filter_map(|name| state.chat.workspace.by_username(name)).map(|user| user.id.clone()));
    ids.dedup();
    let owner = state.chat.workspace.user(caller).username.clone().unwrap_or_default();
    let room = state.chat.workspace.add_room(name, &owner, private);
    room.members = ids;
    Ok(answer(room))
}

fn invite(state: &mut State, request: &Incoming, caller: &str, private: bool) -> Handled {
    let room = find(state, request, caller, private)?;
    if !state.may(caller, if private { "add-user-to-any-p-room" } else { "add-user-to-any-c-room" }) {
        return Err(Answer::error("error-not-allowed", "Not allowed"));
    }
    let people = people(state, request)?;
    for person in people {
        let members = &mut state.chat.workspace.rooms[room].members;
        // Inviting a member again is no error.
        if !members.contains(&person) {
            members.push(person);
        }
    }
    Ok(answer(&state.chat.workspace.rooms[room]))
}

fn kick(state: &mut State, request: &Incoming, caller: &str, private: bool) -> Handled {
    let room = find(state, request, caller, private)?;
    if !state.may(caller, "remove-user") {
        return Err(Answer::error("error-not-allowed", "Not allowed"));
    }
    let people = people(state, request)?;
    let person = people.first().ok_or_else(users::not_found)?;
    let owner = state.chat.workspace.user(person).username.clone().unwrap_or_default();
    let room = &mut state.chat.workspace.rooms[room];
    if !room.members.contains(person) {
        return Err(Answer::error("error-user-not-in-room", "User is not in this room"));
    }
    if room.owner == owner {
        return Err(Answer::error("error-you-are-last-owner", "You are the last owner. Please set new owner before leaving the room."));
    }
    room.members.retain(|member| member != person);
    Ok(answer(room))
}

/// `roomId` or `roomName`, among the rooms of this kind; a private one only for its members.
fn find(state: &State, request: &Incoming, caller: &str, private: bool) -> Result<usize, Answer> {
    let by = |name: &str| request.param(name).or_else(|| request.text(name));
    let (id, name) = (by("roomId"), by("roomName"));
    if id.is_none() && name.is_none() {
        return Err(Answer::error("error-roomid-param-not-provided", "The parameter \"roomId\" or \"roomName\" is required"));
    }
    let wanted = |room: &Room| id.map_or_else(|| Some(room.name.as_str()) == name, |id| room.id == id);
    let seen = |room: &Room| room.private == private && (!private || room.members.iter().any(|member| member == caller));
    let kind = if private { "group" } else { "channel" };
    let missing =
        || Answer::error("error-room-not-found", &format!("The required \"roomId\" or \"roomName\" param provided does not match any {kind}"));
    state.chat.workspace.rooms.iter().position(|room| wanted(room) && seen(room)).ok_or_else(missing)
}

/// One person by `userId` or `username`, or several by `userIds` or `usernames`, which are arrays.
fn people(state: &State, request: &Incoming) -> Result<Vec<String>, Answer> {
    let (mut ids, mut names) = (State::strings(request, "userIds")?, State::strings(request, "usernames")?);
    ids.extend(request.text("userId").map(str::to_owned));
    names.extend(request.text("username").or_else(|| request.text("user")).map(str::to_owned));
    if ids.is_empty() && names.is_empty() {
        return Err(Answer::error("error-users-params-not-provided", "Please provide \"userId\" or \"username\" param"));
    }
    let by_id = ids.iter().map(|id| state.user_index(id).map(|_| id.clone()));
    let by_name = names.iter().map(|name| state.chat.workspace.by_username(name).map(|user| user.id.clone()));
    by_id.chain(by_name).collect::<Option<_>>().ok_or_else(users::not_found)
}

fn shown(room: &Room) -> Value {
    let kind = if room.private { "p" } else { "c" };
    json!({ "_id": room.id, "name": room.name, "t": kind, "usersCount": room.members.len(), "u": { "username": room.owner } })
}

fn answer(room: &Room) -> Answer {
    Answer::success(json!({ if room.private { "group" } else { "channel" }: shown(room) }))
}
