//! The connector: the chat's accounts follow the people, in every edition and through every fault of the chat.

mod crash;
mod faults;
mod first_sign_in;
mod no_button;
mod reconcile;
mod refused;
mod role_maps;
mod trouble;

use propusk_domain::admin::users::{self, UserPatch};
use propusk_domain::client::Preset;
use propusk_domain::grant::Revocation;
use propusk_domain::outbox::{Message, Topic};
use propusk_domain::session;
use propusk_server::clock::Clock;
use propusk_tests::browser::Browser;
use propusk_tests::rocketchat::rest::{ChatServer, Edition};
use propusk_tests::rocketchat::{Config, Email, LoginStyle, Profile, RocketChat, User, Wire};
use propusk_tests::server::{Backend, Person, Registered, TestServer};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

propusk_tests::on_each_backend![
    a_first_sign_in_brings_roles_and_channels,
    a_change_of_role_moves_roles_and_channels_and_nothing_twice,
    disabling_enabling_and_removing_are_followed,
    the_end_of_a_session_ends_the_chats,
];

/// A server, a chat that it looks after, and the client between them.
pub(crate) struct House {
    pub(crate) server: TestServer,
    pub(crate) chat: ChatServer,
    pub(crate) client: Registered,
    settings: Vec<(String, String)>,
}

impl House {
    pub(crate) fn new(backend: Backend, edition: Edition) -> Self {
        Self::with(backend, edition, &[])
    }

    pub(crate) fn with(backend: Backend, edition: Edition, more: &[(&str, &str)]) -> Self {
        let chat = ChatServer::start(edition);
        let (user_id, token) = chat.state().admin_token();
        {
            let mut state = chat.state();
            state.chat.workspace.add_role("Xk2vip", "vip");
            for (name, private) in [("general", false), ("vip", true), ("moderators", false), ("random", false)] {
                state.chat.workspace.add_room(name, "root", private).members.push(user_id.clone());
            }
        }
        let mut settings: Vec<(String, String)> = [
            ("rocketchat.url", chat.url()),
            ("rocketchat.user_id", user_id),
            ("rocketchat.token", token),
            ("rocketchat.channels.general", "general".to_owned()),
            ("rocketchat.channels.vip", "vip".to_owned()),
            ("rocketchat.channels.moderators", "moderators".to_owned()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
        settings.retain(|(key, _)| more.iter().all(|(other, _)| other != key));
        settings.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        settings.retain(|(_, value)| !value.is_empty());
        let borrowed: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let server = TestServer::with(backend, &borrowed);
        let redirect_uri = format!("{}/_oauth/besedka", chat.url());
        let client = server.add_client_with("rocketchat", Preset::RocketChat, |new| new.redirect_uris = vec![redirect_uri]);
        Self { server, chat, client, settings }
    }

    pub(crate) fn replica(&self) -> TestServer {
        let borrowed: Vec<(&str, &str)> = self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        self.server.replica(&borrowed)
    }

    /// A person with an account that an earlier sign-in made.
    pub(crate) fn known(&self, username: &str, role: &str) -> Person {
        let person = self.server.add_user(username, role);
        let sub = json!({ "id": person.user.sub });
        self.chat.state().chat.workspace.users.push(User {
            id: format!("id-{username}"),
            username: Some(username.to_owned()),
            name: Some(username.to_owned()),
            emails: vec![Email { address: format!("{username}@example.org"), verified: true }],
            services: [("besedka".to_owned(), sub.as_object().unwrap().clone())].into(),
            roles: vec!["user".to_owned()],
            active: true,
            ..User::default()
        });
        person
    }

    pub(crate) fn set_role(&self, person: &Person, role: &str) {
        let (sub, patch) = (person.user.sub.clone(), UserPatch { role: Some(role.to_owned()), ..UserPatch::default() });
        self.server.admin(move |cx| users::set(cx, &sub, &patch));
    }

    /// The account as it is there: roles, channels, whether it is on.
    pub(crate) fn account(&self, username: &str) -> (BTreeSet<String>, BTreeSet<String>, bool) {
        let state = self.chat.state();
        let user = state.chat.workspace.by_username(username).unwrap_or_else(|| panic!("no account {username}"));
        let rooms = state.chat.workspace.rooms_of(&user.id).into_iter().map(str::to_owned).collect();
        (user.roles.iter().cloned().collect(), rooms, user.active)
    }

    pub(crate) fn wait_for(&self, username: &str, roles: &[&str], rooms: &[&str]) {
        self.wait_until(|| {
            let has_account = self.chat.state().chat.workspace.by_username(username).is_some();
            has_account && self.account(username) == (set(roles), set(rooms), true)
        });
    }

    pub(crate) fn wait_until(&self, wanted: impl Fn() -> bool) {
        let began = Instant::now();
        while !wanted() {
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}\n{:#?}", self.chat.state().chat.workspace.users, self.rows());
            self.let_accounts_come();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The chat makes an account after it has asked for the claims. Where the connector was faster, it looks again a moment later by its
    /// clock.
    fn let_accounts_come(&self) {
        let early = |row: &Message| row.failure.as_deref() == Some("no account in the chat yet");
        let now = self.server.clock.now();
        if let Some(row) = self.rows().into_iter().find(|row| early(row) && row.next_at > now) {
            self.server.advance(row.next_at.since(now));
        }
    }

    /// Waits until nothing is to be done any more.
    pub(crate) fn quiet(&self) {
        self.wait_until(|| self.rows().is_empty());
    }

    pub(crate) fn rows(&self) -> Vec<Message> {
        let all = self.server.look(|cx| Ok(cx.store.list_messages(None, 1000)?));
        all.into_iter().filter(|row| row.topic == Topic::ChatEverybody || Topic::CHAT.contains(&row.topic)).collect()
    }

    /// How often something was changed there.
    pub(crate) fn changes(&self) -> usize {
        self.chat.state().changes().len()
    }

    /// The whole way through a browser into a chat that has the recommended settings.
    pub(crate) fn sign_in(&self, person: &Person) -> Browser {
        let mut browser = Browser::new().stop_at(&self.chat.url());
        let mut login = {
            let state = self.chat.state();
            let config = Config {
                version: state.edition.version,
                ..Config::recommended(&self.chat.url(), &self.server.issuer, self.client.id(), &self.client.secret)
            };
            RocketChat::new(config, Profile::LegacyWeb(LoginStyle::Redirect))
        };
        let start = login.start("browser", &self.chat.url(), 0).unwrap();
        let mut landing = browser.visit(&start.url).unwrap();
        if landing.stopped.is_none() {
            landing = browser.sign_in(&person.user.username, &person.password).unwrap();
        }
        // The exchange runs without the chat's lock, the account is made under it.
        let mut state = self.chat.state();
        std::mem::swap(&mut login.workspace, &mut state.chat.workspace);
        let answer = login.callback("browser", &landing.url, &mut Wire, 1);
        let ended = login.finish(answer, 2);
        std::mem::swap(&mut login.workspace, &mut state.chat.workspace);
        let user = ended.user().unwrap_or_else(|| panic!("{ended:?}")).to_owned();
        state.token_of(&user);
        browser
    }
}

pub(crate) fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn a_first_sign_in_brings_roles_and_channels(backend: Backend) {
    let house = House::new(backend, Edition::community(8, 6));
    let olga = house.server.add_user("olga", "owner");
    house.sign_in(&olga);
    // The first attempt may have come before the account: the clock brings the next.
    house.wait_until(|| {
        house.server.advance(1);
        house.account("olga").0 == set(&["user", "admin", "Xk2vip"])
    });
    house.wait_for("olga", &["user", "admin", "Xk2vip"], &["general", "vip", "moderators"]);
    house.quiet();
    assert!(house.server.look(|cx| Ok(cx.store.find_chat_id(&olga.user.sub)?)).is_some());
    let told = house.server.audit("chat_account_changed");
    assert!(told[0].detail.as_deref().unwrap().contains("add role admin"), "{told:?}");
}

fn a_change_of_role_moves_roles_and_channels_and_nothing_twice(backend: Backend) {
    for edition in Edition::ALL {
        let house = House::new(backend, edition);
        let max = house.known("max", "user");
        house.set_role(&max, "owner");
        house.wait_for("max", &["user", "admin", "Xk2vip"], &["general", "vip", "moderators"]);
        house.set_role(&max, "moderator");
        house.wait_for("max", &["user", "admin"], &["general", "moderators"]);
        house.set_role(&max, "user");
        house.wait_for("max", &["user"], &["general"]);
        house.quiet();
        let changes = house.changes();
        // A name that changes is looked after, too, and nothing differs.
        let (sub, patch) = (max.user.sub.clone(), UserPatch { name: Some("Max".to_owned()), ..UserPatch::default() });
        house.server.admin(move |cx| users::set(cx, &sub, &patch));
        house.quiet();
        assert_eq!(house.changes(), changes, "{edition:?}");
        assert_eq!(house.chat.state().count("channels.create"), 0);
    }
}

fn disabling_enabling_and_removing_are_followed(backend: Backend) {
    let house = House::new(backend, Edition::community(8, 6));
    let (anna, uta, boris) = (house.known("anna", "user"), house.known("uta", "user"), house.known("boris", "user"));
    for person in [&anna, &uta, &boris] {
        house.set_role(person, "moderator");
    }
    house.quiet();
    let change = |person: &Person, change: fn(&mut propusk_domain::Cx<'_>, &str) -> propusk_domain::Result<()>| {
        let sub = person.user.sub.clone();
        house.server.admin(move |cx| change(cx, &sub));
        house.quiet();
    };
    change(&anna, |cx, sub| users::disable(cx, sub).map(drop));
    assert!(!house.account("anna").2);
    change(&anna, |cx, sub| users::enable(cx, sub).map(drop));
    assert!(house.account("anna").2);
    // Whom the chat's own administrators have switched off stays off.
    house.chat.state().chat.workspace.users.iter_mut().filter(|user| user.id == "id-uta").for_each(|user| user.active = false);
    change(&uta, |cx, sub| users::disable(cx, sub).map(drop));
    change(&uta, |cx, sub| users::enable(cx, sub).map(drop));
    assert!(!house.account("uta").2);
    change(&boris, |cx, sub| users::remove(cx, sub).map(drop));
    assert!(!house.account("boris").2);
}

fn the_end_of_a_session_ends_the_chats(backend: Backend) {
    let house = House::new(backend, Edition::community(8, 6));
    let anna = house.server.add_user("anna", "user");
    let mut browser = house.sign_in(&anna);
    house.wait_until(|| {
        house.server.advance(1);
        house.rows().is_empty()
    });
    let logins = |house: &House| house.chat.state().tokens.iter().filter(|token| token.user != "u1").count();
    assert_eq!(logins(&house), 1);
    browser.visit(&house.server.url("/logout")).unwrap();
    browser.press("logout-confirm").unwrap();
    house.wait_until(|| logins(&house) == 0);
    house.quiet();
    assert_eq!(house.chat.state().count("users.logout"), 1);
    // Somebody who was never in the chat is not looked for there.
    let site = house.server.add_client_with("site", Preset::Web, |new| new.first_party = Some(true));
    let uta = house.server.add_user("uta", "user");
    house.server.sign_in(&site, &uta, &[]);
    let sub = uta.user.sub.clone();
    house.server.admin(move |cx| session::end_all(cx, &sub, Revocation::ByOperator));
    house.quiet();
    assert_eq!(house.chat.state().count("users.logout"), 1);
}

#[test]
fn an_account_that_only_has_the_name_is_given_nothing() {
    let house = House::new(Backend::Sqlite, Edition::community(8, 6));
    let mallory = {
        let mut state = house.chat.state();
        state.chat.workspace.add_local_user("olga", "mallory@example.net", true)
    };
    let olga = house.server.add_user("olga", "user");
    house.set_role(&olga, "owner");
    house.quiet();
    assert_eq!(house.account("olga").0, set(&["user"]));
    // Nor with her address, as long as the chat has not verified it.
    house.chat.state().chat.workspace.users.iter_mut().filter(|user| user.id == mallory).for_each(|user| {
        user.emails = vec![Email { address: "olga@example.org".into(), verified: false }];
    });
    house.set_role(&olga, "moderator");
    house.quiet();
    assert_eq!((house.account("olga").0, house.changes()), (set(&["user"]), 0));
    // Her own account under another name is found by what the sign-in left there.
    let own = json!({ "id": olga.user.sub });
    house.chat.state().chat.workspace.users.push(User {
        id: "real".into(),
        username: Some("olga.k".into()),
        services: [("besedka".to_owned(), own.as_object().unwrap().clone())].into(),
        roles: vec!["user".into()],
        active: true,
        ..User::default()
    });
    house.set_role(&olga, "owner");
    house.wait_for("olga.k", &["user", "admin", "Xk2vip"], &["general", "vip", "moderators"]);
    assert_eq!(house.account("olga").0, set(&["user"]));
}

#[test]
fn without_visible_services_the_verified_address_decides() {
    let house = House::new(Backend::Sqlite, Edition::community(9, 0));
    house.chat.state().services_visible = false;
    let (anna, uta) = (house.known("anna", "user"), house.known("uta", "user"));
    house.chat.state().chat.workspace.users.iter_mut().filter(|user| user.id == "id-uta").for_each(|user| {
        user.emails = vec![Email { address: "somebody@else.example".into(), verified: true }];
    });
    house.set_role(&anna, "moderator");
    house.set_role(&uta, "moderator");
    house.wait_for("anna", &["user", "admin"], &["general", "moderators"]);
    house.quiet();
    assert_eq!(house.account("uta").0, set(&["user"]));
}

#[test]
fn the_last_administrator_and_the_connectors_own_account_keep_their_role() {
    let house = House::new(Backend::Sqlite, Edition::community(8, 6));
    // The connector's own account belongs to somebody who has become an ordinary member.
    let root = house.server.add_user("root", "user");
    let own = json!({ "id": root.user.sub });
    house.chat.state().chat.workspace.users.iter_mut().filter(|user| user.id == "u1").for_each(|user| {
        user.services = [("besedka".to_owned(), own.as_object().unwrap().clone())].into();
    });
    let (sub, patch) = (root.user.sub.clone(), UserPatch { name: Some("Root".to_owned()), ..UserPatch::default() });
    house.server.admin(move |cx| users::set(cx, &sub, &patch));
    house.quiet();
    assert!(house.account("root").0.contains("admin"));
    let sub = root.user.sub.clone();
    house.server.admin(move |cx| users::disable(cx, &sub));
    house.quiet();
    assert!(house.account("root").2, "nor is it switched off");
}

#[test]
fn channels_are_made_only_when_that_is_asked_for() {
    for (asked, made) in [("false", false), ("true", true)] {
        let more = [("rocketchat.create_channels", asked), ("rocketchat.channels.general", "general,new")];
        let house = House::with(Backend::Sqlite, Edition::community(8, 6), &more);
        let anna = house.known("anna", "moderator");
        house.set_role(&anna, "user");
        house.quiet();
        assert_eq!(house.account("anna").1.contains("new"), made);
        assert!(house.account("anna").1.contains("general"));
    }
}
