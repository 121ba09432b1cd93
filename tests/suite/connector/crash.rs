//! `kill -9` of the real binary while it speaks to the chat: between the chat's effect and its answer, and between its answer and our
//! commit. What is left is gone on with after a restart; nothing is lost, and nothing happens twice.

use propusk_domain::admin::users::{self, NewUser, UserPatch};
use propusk_domain::admin::{clients, clients::NewClient};
use propusk_domain::client::Preset;
use propusk_domain::grant::{Grant, Revocation};
use propusk_domain::outbox::{LEASE, Message};
use propusk_domain::user::User;
use propusk_domain::{Cx, Error, Fault as OwnFault, UnixTime, session};
use propusk_server::clock::SystemClock;
use propusk_server::instance::Instance;
use propusk_server::settings::Settings;
use propusk_tests::http::Request;
use propusk_tests::postgres::TemporaryDatabase;
use propusk_tests::rocketchat::rest::{ChatServer, Edition, Fault, Gate};
use propusk_tests::rocketchat::{Email, User as Account};
use propusk_tests::server::{Backend, describe, free_port, service};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

propusk_tests::on_each_backend![a_kill_between_the_chats_answer_and_our_commit_changes_nothing_twice];

/// When the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The chat has done it, and its answer is on the way.
    BeforeAnswer,
    /// Everything is done and answered, and our transaction cannot commit yet.
    BeforeCommit,
}

/// The real binary, a chat, and the installation as an operator's process sees it.
struct Place {
    chat: ChatServer,
    instance: Instance,
    anna: User,
    settings: Vec<(String, String)>,
    directory: tempfile::TempDir,
    child: Option<Child>,
    _database: Option<TemporaryDatabase>,
}

fn a_kill_between_the_chats_answer_and_our_commit_changes_nothing_twice(backend: Backend) {
    let mut place = Place::new(backend);
    place.start();
    let role = |role: &'static str| move |cx: &mut Cx<'_>, user: &User| set_role(cx, user, role);
    place
        .round("roles.addUserToRole", Moment::BeforeAnswer, role("owner"), |place| place.is(&["user", "admin", "Xk2vip"], &["general", "vip"], true));
    place.round("roles.removeUserFromRole", Moment::BeforeCommit, role("moderator"), |place| place.is(&["user", "admin"], &["general"], true));
    place.round("groups.invite", Moment::BeforeAnswer, role("owner"), |place| place.is(&["user", "admin", "Xk2vip"], &["general", "vip"], true));
    let disable = |cx: &mut Cx<'_>, user: &User| users::disable(cx, &user.sub).map(drop);
    place.round("users.setActiveStatus", Moment::BeforeCommit, disable, |place| !place.account().active);
    // Switched off from here, so switched on again: a kill must not have cost that knowledge.
    let enable = |cx: &mut Cx<'_>, user: &User| users::enable(cx, &user.sub).map(drop);
    place.round("users.setActiveStatus", Moment::BeforeAnswer, enable, |place| place.account().active);
    place.round("users.logout", Moment::BeforeCommit, sign_in_and_out, |place| place.chat.state().count("users.logout") == 1);
    assert_eq!(place.chat.state().count("users.logout"), 1, "whoever has come back is not thrown out a second time");
}

impl Place {
    fn new(backend: Backend) -> Self {
        let (chat, directory) = (ChatServer::start(Edition::community(8, 6)), tempfile::tempdir().unwrap());
        let (user_id, token) = chat.state().admin_token();
        let database = (backend == Backend::PostgresRedis).then(TemporaryDatabase::create);
        let (path, address) = (directory.path().display().to_string(), format!("127.0.0.1:{}", free_port()));
        let url = database.as_ref().map_or_else(|| format!("sqlite:{path}/propusk.db"), |database| database.url.clone());
        let mut settings = vec![
            ("issuer", format!("http://{address}")),
            ("http.listen", address),
            ("database.url", url),
            ("keys.master_key_file", format!("{path}/master.key")),
            ("rocketchat.url", chat.url()),
            ("rocketchat.user_id", user_id.clone()),
            ("rocketchat.token", token),
            ("rocketchat.reconcile", "0".to_owned()),
            ("rocketchat.channels.general", "general".to_owned()),
            ("rocketchat.channels.vip", "vip".to_owned()),
        ];
        if database.is_some() {
            settings.extend([("redis.url", service("PROPUSK_TEST_REDIS")), ("redis.prefix", format!("{}:", path.rsplit('/').next().unwrap()))]);
        }
        let settings: Vec<(String, String)> = settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let instance = Instance::open_with(Settings::from_map(settings.clone()).unwrap(), Arc::new(SystemClock)).unwrap();
        let anna = written(&instance, |cx| {
            clients::add(
                cx,
                &NewClient { redirect_uris: vec!["https://chat.example/cb".to_owned()], ..NewClient::new("rocketchat", Preset::RocketChat) },
            )?;
            users::add(cx, NewUser::new("anna", "user"))
        });
        {
            let mut state = chat.state();
            state.chat.workspace.add_role("Xk2vip", "vip");
            for (name, private) in [("general", false), ("vip", true)] {
                state.chat.workspace.add_room(name, "root", private).members.push(user_id.clone());
            }
            state.chat.workspace.users.push(Account {
                id: "id-anna".to_owned(),
                username: Some("anna".to_owned()),
                emails: vec![Email { address: "anna@example.org".to_owned(), verified: true }],
                services: [("besedka".to_owned(), json!({ "id": anna.sub }).as_object().unwrap().clone())].into(),
                roles: vec!["user".to_owned()],
                active: true,
                ..Account::default()
            });
        }
        Self { chat, instance, anna, settings, directory, child: None, _database: database }
    }

    /// One change, one kill, one restart.
    fn round(
        &mut self,
        endpoint: &str,
        moment: Moment,
        change: impl Fn(&mut Cx<'_>, &User) -> Result<(), Error> + Send + 'static,
        agrees: impl Fn(&Self) -> bool,
    ) {
        let (gate, before) = (Gate::default(), self.chat.state().changes().len());
        self.chat.state().fault(endpoint, Fault::Held(gate.clone()), 1);
        let anna = self.anna.clone();
        written(&self.instance, move |cx| change(cx, &anna));
        gate.wait_reached();
        let lock = (moment == Moment::BeforeCommit).then(|| Lock::take(&self.instance));
        if lock.is_some() {
            gate.open();
            gate.wait_passed();
            self.wait_until(&agrees);
        }
        // SIGKILL: no handler runs, nothing is flushed.
        self.kill();
        gate.open();
        if let Some(lock) = lock {
            lock.release();
        }
        assert_eq!(self.rows().len(), 1, "{endpoint} {moment:?}: what was not committed still waits");
        self.come_back();
        self.let_leases_run_out();
        self.start();
        self.wait_until(&|place| agrees(place) && place.rows().is_empty());
        let state = self.chat.state();
        let done: Vec<String> = state.changes()[before..].iter().map(|call| format!("{} {}", call.endpoint, call.body)).collect();
        let distinct: BTreeSet<&String> = done.iter().collect();
        assert_eq!(distinct.len(), done.len(), "{endpoint} {moment:?}: {done:#?}");
        assert!(done.iter().any(|call| call.starts_with(endpoint)), "{endpoint}: {done:#?}");
    }

    /// Two minutes later, as the rows see it: nobody holds them any more.
    fn let_leases_run_out(&self) {
        let rows = self.rows();
        written(&self.instance, move |cx| {
            for row in &rows {
                assert!(cx.store.lease_message(&row.id, "", UnixTime(0), cx.now.plus(10 * LEASE))?);
            }
            Ok(())
        });
    }

    /// Meanwhile anna has signed in to the chat again.
    fn come_back(&self) {
        let sub = self.anna.sub.clone();
        written(&self.instance, move |cx| {
            let (id, at) = (propusk_domain::ids::sortable(cx.now, cx.rng), cx.now.plus(5));
            cx.store.insert_grant(&Grant {
                id,
                sub: Some(sub.clone()),
                client_id: "rocketchat".to_owned(),
                scope: propusk_protocol::Scope::parse("openid").unwrap(),
                sid: None,
                offline: false,
                auth_time: Some(at),
                amr: Vec::new(),
                nonce: None,
                code: None,
                refresh: None,
                created_at: at,
                expires_at: Some(at.plus(1000)),
                revoked_at: None,
            })?;
            Ok(())
        });
    }

    fn rows(&self) -> Vec<Message> {
        self.instance.read(|cx| Ok(cx.store.list_messages(None, 100)?)).map_err(describe).unwrap()
    }

    fn account(&self) -> Account {
        self.chat.state().chat.workspace.by_username("anna").unwrap().clone()
    }

    fn is(&self, roles: &[&str], rooms: &[&str], active: bool) -> bool {
        let (account, state) = (self.account(), self.chat.state());
        let rooms_of: BTreeSet<&str> = state.chat.workspace.rooms_of("id-anna").into_iter().collect();
        account.active == active
            && account.roles.iter().map(String::as_str).collect::<BTreeSet<_>>() == roles.iter().copied().collect()
            && rooms_of == rooms.iter().copied().collect()
    }

    fn wait_until(&self, wanted: &dyn Fn(&Self) -> bool) {
        let began = Instant::now();
        while !wanted(self) {
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}\n{:#?}\n{}", self.account(), self.rows(), self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the settings of whoever runs the tests must not reach the binary")]
    fn start(&mut self) {
        let own = std::env::current_exe().unwrap();
        let mut command = Command::new(own.parent().and_then(Path::parent).unwrap().join("propusk"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PROPUSK__") {
                command.env_remove(name);
            }
        }
        for (key, value) in &self.settings {
            command.env(format!("PROPUSK__{}", key.replace('.', "__").to_uppercase()), value);
        }
        let log = File::options().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        self.child = Some(command.arg("serve").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let (began, health) = (Instant::now(), format!("{}/healthz", self.instance.settings.issuer));
        while Request::get(&health).send().is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ended = child.kill();
            let _waited = child.wait();
        }
    }
}

/// A transaction of ours that keeps everybody else's from committing what became of a delivery.
struct Lock {
    go: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Lock {
    fn take(instance: &Instance) -> Self {
        let ((held, is_held), (go, going)) = (mpsc::channel(), mpsc::channel());
        let instance = instance.clone();
        let thread = std::thread::spawn(move || {
            let rolled_back = instance.write(move |cx| -> Result<(), Error> {
                // SQLite has one writer; on PostgreSQL the rows themselves have to be held.
                cx.store.retry_messages(None, cx.now)?;
                held.send(()).unwrap();
                going.recv().unwrap();
                Err(OwnFault::broken("rolled back").into())
            });
            assert!(rolled_back.is_err());
        });
        is_held.recv_timeout(Duration::from_secs(60)).expect("the lock");
        Self { go, thread }
    }

    fn release(self) {
        self.go.send(()).unwrap();
        self.thread.join().unwrap();
    }
}

fn written<T: Send + 'static>(instance: &Instance, f: impl FnMut(&mut Cx<'_>) -> Result<T, Error> + Send + 'static) -> T {
    instance.write(f).map_err(describe).unwrap()
}

fn set_role(cx: &mut Cx<'_>, user: &User, role: &str) -> Result<(), Error> {
    users::set(cx, &user.sub, &UserPatch { role: Some(role.to_owned()), ..UserPatch::default() }).map(drop)
}

/// A session that was used at the chat, and its end.
fn sign_in_and_out(cx: &mut Cx<'_>, user: &User) -> Result<(), Error> {
    let (session, _) = session::start(cx, user, None, session::Browser::default())?;
    cx.store.note_session_client(&session.sid, "rocketchat")?;
    session::end(cx, &session, Revocation::Logout).map(drop)
}
