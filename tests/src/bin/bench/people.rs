//! People, sessions, grants and codes, written in bulk through the store.

use propusk_crypto::{PasswordHasher, PasswordParams, Secret, SystemRandom, digest};
use propusk_domain::admin::clients::{self, NewClient};
use propusk_domain::admin::users::{self, NewUser};
use propusk_domain::client::Preset;
use propusk_domain::grant::{Code, Grant, Refresh};
use propusk_domain::session::{self, Browser, Session};
use propusk_domain::user::User;
use propusk_domain::{Cx, Error, UnixTime, ids, refresh};
use propusk_protocol::Scope;
use propusk_server::Instance;
use propusk_tests::server::describe;
use std::sync::Arc;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "a long password of everybody";

/// Where the client sends its people back to.
pub(crate) const CALLBACK: &str = "https://site.example/cb";

/// The secret of every client.
pub(crate) const SECRET: &str = "a-secret-of-forty-three-characters-as-generated";

/// How many people take part in the load.
const PEOPLE: usize = 200;

/// What enters the derivation of every refresh token.
const NONCE: &str = "n";

/// Rows in one transaction.
const BATCH: usize = 500;

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Somebody {
    pub user: User,
    pub session: Session,
    pub cookie: String,
}

fn write<T: Send + 'static>(instance: &Instance, f: impl FnMut(&mut Cx<'_>) -> Result<T, Error> + Send + 'static) -> T {
    instance.write(f).map_err(describe).expect("a write")
}

/// Clients of every algorithm and the people of the load, signed in.
pub(crate) fn populate(instance: &Instance) -> Vec<Somebody> {
    for alg in propusk_crypto::Algorithm::ALL {
        write(instance, move |cx| {
            for (name, preset) in [("service", Preset::Service), ("site", Preset::Web), ("api", Preset::Api)] {
                let mut new = NewClient::new(format!("{name}-{alg}"), preset);
                new.secret = Some(Secret::new(SECRET.to_owned()));
                new.first_party = Some(true);
                new.more.access_token_alg = Some(alg);
                if preset == Preset::Web {
                    new.redirect_uris = vec![CALLBACK.to_owned()];
                }
                clients::add(cx, &new)?;
            }
            Ok(())
        });
    }
    let users = add_users(instance, "person", PEOPLE);
    sign_in(instance, &users)
}

fn add_users(instance: &Instance, name: &str, count: usize) -> Vec<User> {
    let hasher = PasswordHasher::new(PasswordParams::default(), 1).expect("a hasher");
    // One hash for everybody: a hundred thousand of them would take half an hour.
    let hash = Arc::new(hasher.hash(PASSWORD, &SystemRandom).expect("a hash"));
    let name: Arc<str> = Arc::from(name);
    let mut all = Vec::with_capacity(count);
    for first in (0..count).step_by(BATCH) {
        let (hash, name) = (Arc::clone(&hash), Arc::clone(&name));
        let batch = write(instance, move |cx| {
            (first..count.min(first + BATCH))
                .map(|number| {
                    let mut new = NewUser::new(format!("{name}{number}"), "moderator");
                    new.email = Some(format!("{name}{number}@example.org"));
                    new.email_verified = true;
                    new.name = Some(format!("Person {number}"));
                    new.password_hash = Some(hash.to_string());
                    users::add(cx, new)
                })
                .collect::<Result<Vec<User>, Error>>()
        });
        all.extend(batch);
    }
    all
}

fn sign_in(instance: &Instance, users: &[User]) -> Vec<Somebody> {
    let users = users.to_vec();
    write(instance, move |cx| {
        users
            .iter()
            .map(|user| {
                let (session, cookie) = session::start(cx, user, None, Browser::default())?;
                Ok(Somebody { user: user.clone(), session, cookie: cookie.expose().to_owned() })
            })
            .collect()
    })
}

/// What is granted: an exchange signs an ID token too.
const WITH_ID_TOKEN: &str = "openid profile email offline_access";

/// What is granted: an exchange signs one token.
const WITHOUT_ID_TOKEN: &str = "profile email offline_access";

/// A grant as the code flow makes it.
fn grant(somebody: &Somebody, client_id: &str, code: Option<&str>, scope: &str, now: UnixTime) -> Grant {
    let code = code.map(|code| Code {
        digest: digest(code),
        redirect_uri: CALLBACK.to_owned(),
        redirect_uri_was_sent: true,
        challenge: None,
        expires_at: now.plus(3600),
        redeemed_at: None,
    });
    Grant {
        id: ids::sortable(now, &SystemRandom),
        sub: Some(somebody.user.sub.clone()),
        client_id: client_id.to_owned(),
        scope: scope.split(' ').map(str::to_owned).collect::<Scope>(),
        sid: Some(somebody.session.sid.clone()),
        offline: true,
        auth_time: Some(now),
        amr: vec!["pwd".to_owned()],
        nonce: None,
        code,
        refresh: Some(Refresh { generation: 1, nonce: NONCE.to_owned(), rotated_at: now }),
        created_at: now,
        expires_at: Some(now.plus(86_400 * 180)),
        revoked_at: None,
    }
}

fn insert(instance: &Instance, grants: Vec<Grant>) {
    write(instance, move |cx| grants.iter().try_for_each(|grant| Ok(cx.store.insert_grant(grant)?)));
}

/// Fresh codes.
pub(crate) fn codes(instance: &Instance, people: &[Somebody], client_id: &str, id_token: bool, count: usize) -> Vec<String> {
    let scope = if id_token { WITH_ID_TOKEN } else { WITHOUT_ID_TOKEN };
    let now = instance.clock.now();
    let mut codes = Vec::with_capacity(count);
    for first in (0..count).step_by(BATCH) {
        let batch: Vec<String> = (first..count.min(first + BATCH)).map(|_| Secret::generate(&SystemRandom, "ppc_").expose().to_owned()).collect();
        let rows = batch.iter().enumerate().map(|(index, code)| grant(&people[(first + index) % people.len()], client_id, Some(code), scope, now));
        insert(instance, rows.collect());
        codes.extend(batch);
    }
    codes
}

/// Refresh tokens of fresh grants.
pub(crate) fn refresh_tokens(instance: &Instance, people: &[Somebody], client_id: &str, count: usize) -> Vec<String> {
    let now = instance.clock.now();
    let mut tokens = Vec::with_capacity(count);
    for first in (0..count).step_by(BATCH) {
        let rows: Vec<Grant> =
            (first..count.min(first + BATCH)).map(|index| grant(&people[index % people.len()], client_id, None, WITHOUT_ID_TOKEN, now)).collect();
        tokens.extend(rows.iter().map(|row| refresh::derive(row, NONCE, 1, &instance.keys).expect("a token")));
        insert(instance, rows);
    }
    tokens
}

/// Fills the database: people who are spread over all of them and signed in, and refresh tokens spread over all grants, in no
/// order.
pub(crate) fn preload(instance: &Instance, people: usize, grants: usize) -> (Vec<Somebody>, Vec<String>) {
    let users = add_users(instance, "preloaded", people);
    let spread: Vec<User> = users.iter().step_by((people / PEOPLE).max(1)).take(PEOPLE).cloned().collect();
    let signed_in = sign_in(instance, &spread);
    let now = instance.clock.now();
    let template = signed_in.first().expect("somebody").clone();
    let mut tokens = Vec::new();
    for first in (0..grants).step_by(BATCH) {
        let rows: Vec<Grant> = (first..grants.min(first + BATCH))
            .map(|number| {
                let mut somebody = template.clone();
                // A stride that visits everybody, so that neighbours in time are not neighbours in the index of people.
                users[number.wrapping_mul(7919) % users.len()].sub.clone_into(&mut somebody.user.sub);
                let mut row =
                    grant(&somebody, "site-ES256", None, WITHOUT_ID_TOKEN, UnixTime(now.0 - ((grants - number) / 100).cast_signed() as i64));
                row.sid = None;
                row
            })
            .collect();
        if (first / BATCH).is_multiple_of(4) {
            tokens.extend(rows.iter().step_by(25).map(|row| refresh::derive(row, NONCE, 1, &instance.keys).expect("a token")));
        }
        insert(instance, rows);
    }
    // A stride that shares no factor with the number of tokens visits each once.
    let stride = (tokens.len() / 3..tokens.len()).find(|stride| gcd(*stride, tokens.len()) == 1).unwrap_or(1);
    let scattered = (0..tokens.len()).map(|number| tokens[number * stride % tokens.len()].clone()).collect();
    (signed_in, scattered)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
