//! Things to store.

use propusk_crypto::{Algorithm, SecretHash};
use propusk_domain::client::{Client, ClientSecret, Preset};
use propusk_domain::grant::{Code, Grant, Refresh};
use propusk_domain::records::{AuditEvent, Consent, KeyPurpose, KeyRow, RefusalRecord};
use propusk_domain::session::Session;
use propusk_domain::store::Store;
use propusk_domain::trace::{FlowStep, OK, Step};
use propusk_domain::user::{NameKind, SignInName, User, UserState};
use propusk_domain::{Cause, Detail, Fault, UnixTime};
use propusk_protocol::{CodeChallenge, Scope, StandardClaims};

pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);

pub(crate) fn user(sub: &str, username: &str) -> User {
    User {
        sub: sub.to_owned(),
        username: username.to_owned(),
        role: "user".to_owned(),
        state: UserState::Active,
        locale: Some("ru".to_owned()),
        password_hash: Some("$argon2id$…".to_owned()),
        credential_version: 1,
        claims: StandardClaims {
            email: Some(format!("{username}@Example.ORG")),
            email_verified: Some(true),
            name: Some("Анна \"Ё\" O'Neil".to_owned()),
            ..StandardClaims::default()
        },
        created_at: NOW,
        updated_at: NOW,
    }
}

pub(crate) fn name(key: &str, sub: &str) -> SignInName {
    SignInName { key: key.to_owned(), sub: sub.to_owned(), name: key.to_uppercase(), kind: NameKind::Alias }
}

pub(crate) fn secret(id: &str, age: i64) -> ClientSecret {
    ClientSecret {
        id: id.to_owned(),
        hash: SecretHash::from_stored(format!("sha256:{id}")),
        created_at: NOW.plus(-age),
        expires_at: None,
        last_used_at: None,
    }
}

pub(crate) fn client(client_id: &str) -> Client {
    Client {
        client_id: client_id.to_owned(),
        name: "Чат".to_owned(),
        preset: Preset::Web,
        disabled: false,
        first_party: true,
        standing_grant_id: format!("standing-{client_id}"),
        settings: Preset::Web.settings(),
        secrets: vec![secret(&format!("{client_id}-new"), 0), secret(&format!("{client_id}-old"), 50)],
        created_at: NOW,
        updated_at: NOW,
    }
}

pub(crate) fn session(sid: &str, sub: &str) -> Session {
    Session {
        cookie_digest: format!("digest-{sid}"),
        sid: sid.to_owned(),
        sub: sub.to_owned(),
        auth_time: NOW,
        amr: vec!["pwd".to_owned()],
        created_at: NOW,
        last_seen_at: NOW,
        expires_at: NOW.plus(1000),
        revoked_at: None,
        user_agent: Some("Mozilla/5.0".to_owned()),
        address: None,
    }
}

/// A grant of `sub` at `client_id` with a code, in the session `sid-{sub}`.
pub(crate) fn grant(id: &str, sub: &str, client_id: &str) -> Grant {
    Grant {
        id: id.to_owned(),
        sub: Some(sub.to_owned()),
        client_id: client_id.to_owned(),
        scope: ["openid", "email"].iter().collect::<Scope>(),
        sid: Some(format!("sid-{sub}")),
        offline: false,
        auth_time: Some(NOW),
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        nonce: Some("n-0S6_WzA2Mj".to_owned()),
        code: Some(Code {
            digest: format!("code-{id}"),
            redirect_uri: "https://rp.example/cb?x=1".to_owned(),
            redirect_uri_was_sent: true,
            challenge: Some(CodeChallenge::from_stored("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned())),
            expires_at: NOW.plus(60),
            redeemed_at: None,
        }),
        refresh: None,
        created_at: NOW,
        expires_at: Some(NOW.plus(1000)),
        revoked_at: None,
    }
}

/// A grant with a refresh token of generation 1.
pub(crate) fn offline_grant(id: &str, sub: &str, client_id: &str) -> Grant {
    let refresh = Refresh { generation: 1, nonce: format!("nonce-{id}"), rotated_at: NOW };
    Grant { offline: true, refresh: Some(refresh), ..grant(id, sub, client_id) }
}

pub(crate) fn standing_grant(client_id: &str) -> Grant {
    Grant {
        sub: None,
        sid: None,
        auth_time: None,
        nonce: None,
        code: None,
        expires_at: None,
        ..grant(&format!("standing-{client_id}"), "", client_id)
    }
}

pub(crate) fn key(kid: &str, age: i64) -> KeyRow {
    KeyRow {
        kid: kid.to_owned(),
        purpose: KeyPurpose::Sign(Algorithm::ES256),
        sealed: "v1.sealed".to_owned(),
        created_at: NOW.plus(-age),
        active_from: NOW.plus(10 - age),
        published_until: None,
    }
}

pub(crate) fn audit(id: &str, age: i64) -> AuditEvent {
    AuditEvent {
        id: id.to_owned(),
        at: NOW.plus(-age),
        kind: "signed_in".to_owned(),
        sub: Some("s1".to_owned()),
        client_id: None,
        grant_id: None,
        detail: Some("from <b>'; DROP TABLE users; --".to_owned()),
    }
}

pub(crate) fn refusal(reference: &str, age: i64) -> RefusalRecord {
    let detail = Detail {
        cause: Cause::CodeReused,
        client_id: Some("chat".to_owned()),
        expected: None,
        received: Some("x".to_owned()),
        nearest: None,
        fix: vec!["propusk client show chat".to_owned()],
    };
    RefusalRecord { reference: reference.to_owned(), at: NOW.plus(-age), endpoint: "token".to_owned(), error: "invalid_grant".to_owned(), detail }
}

/// The people s1 (anna) and s2 (boris) and the clients chat and site, each with its standing grant.
pub(crate) fn people_and_clients(store: &mut dyn Store) -> Result<(), Fault> {
    for (sub, username) in [("s1", "anna"), ("s2", "boris")] {
        assert!(store.insert_user(&user(sub, username))?);
        assert!(store.insert_sign_in_name(&SignInName { kind: NameKind::Username, ..name(username, sub) })?);
    }
    for client_id in ["chat", "site"] {
        assert!(store.insert_client(&client(client_id))?);
        store.insert_grant(&standing_grant(client_id))?;
    }
    Ok(())
}

pub(crate) fn consent(sub: &str, client_id: &str) -> Consent {
    Consent { sub: sub.to_owned(), client_id: client_id.to_owned(), scope: ["openid"].iter().collect::<Scope>(), granted_at: NOW }
}

pub(crate) fn step(id: &str, age: i64) -> FlowStep {
    FlowStep {
        id: id.to_owned(),
        flow_id: Some("flow".to_owned()),
        grant_id: None,
        client_id: "chat".to_owned(),
        sub: Some("s1".to_owned()),
        step: Step::PageShown,
        at: NOW.plus(-age),
        verdict: OK.to_owned(),
        reference: None,
    }
}
