//! What the table stands on: people, clients, codes and tokens of every kind, made once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use propusk_crypto::{Algorithm, SigningKey};
use propusk_domain::admin::users;
use propusk_domain::client::{GrantType, Preset};
use propusk_tests::http::{Request, form_encode};
use propusk_tests::server::{Backend, Registered, START, TestServer};
use serde_json::{Value, json};

/// The redirect URI of the client `site`.
pub(super) const SITE_URI: &str = "https://site.example/cb";

/// A verifier and its challenge.
pub(super) const VERIFIER: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

pub(super) struct World {
    pub server: TestServer,
    /// Web, first-party, one redirect URI.
    pub site: Registered,
    /// Web, two redirect URIs.
    pub two: Registered,
    pub chat: Registered,
    pub spa: Registered,
    pub native: Registered,
    pub worker: Registered,
    pub api: Registered,
    /// Web, disabled.
    pub off: Registered,
    /// Web, without the code grant.
    pub bare: Registered,
    /// Codes of `site` that nobody redeems.
    pub code: String,
    pub code_with_challenge: String,
    pub code_expired: String,
    pub code_reused: String,
    pub access: String,
    pub refresh: String,
    pub id_token: String,
    pub access_revoked: String,
    pub refresh_revoked: String,
    pub access_of_disabled: String,
    pub access_of_chat: String,
    pub access_of_worker: String,
    pub access_without_openid: String,
    pub refresh_of_spa: String,
    /// A flow with nobody signed in, its browser cookie, and a flow without a client.
    pub flow: String,
    pub browser_cookie: String,
    pub flow_without_client: String,
}

impl World {
    pub(super) fn new(backend: Backend) -> Self {
        let server = TestServer::start(backend);
        let (anna, boris) = (server.add_user("anna", "owner"), server.add_user("boris", "user"));
        let first = |new: &mut propusk_domain::admin::clients::NewClient| new.first_party = Some(true);
        let site = server.add_client_with("site", Preset::Web, first);
        let two = server.add_client_with("two", Preset::Web, |new| {
            new.redirect_uris = vec!["https://two.example/a".into(), "https://two.example/b".into()];
        });
        let chat = server.add_client("rocketchat", Preset::RocketChat);
        let spa = server.add_client_with("spa", Preset::Spa, first);
        let native = server.add_client_with("native", Preset::Native, |new| new.redirect_uris = vec!["http://127.0.0.1/cb".into()]);
        let (worker, api) = (server.add_client("worker", Preset::Service), server.add_client("api", Preset::Api));
        let (off, bare) = (server.add_client("off", Preset::Web), server.add_client("bare", Preset::Web));
        server.set_client("off", |patch| patch.disabled = Some(true));
        server.set_client("bare", |patch| patch.grant_types.replace = Some(vec![GrantType::RefreshToken]));
        server.settle();
        let code_expired = server.code(&site, &anna, &[]);
        server.advance(61);
        let code_reused = server.code(&site, &anna, &[]);
        assert_eq!(server.redeem(&site, &code_reused, &[]).status, 200);
        assert_eq!(server.redeem(&site, &code_reused, &[]).status, 400);
        let tokens = server.tokens(&site, &anna, "openid offline_access");
        let revoked = server.tokens(&site, &anna, "openid offline_access");
        let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
        let revocation = [("client_id", "site"), ("client_secret", &site.secret), ("token", revoked["refresh_token"].as_str().unwrap())];
        assert_eq!(Request::post(&server.url("/oauth/revoke")).post_form(&revocation).send().unwrap().status, 200);
        let access_of_disabled = text(&server.tokens(&site, &boris, "openid"), "access_token");
        server.admin(move |cx| users::disable(cx, &boris.user.sub));
        server.settle();
        let challenge = propusk_protocol::CodeChallenge::from_verifier(&propusk_protocol::CodeVerifier::parse(VERIFIER).unwrap());
        let with_challenge = [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
        let worker_answer = server.token(&worker, &[("grant_type", "client_credentials")]);
        let start = Request::get(&server.authorize_url(&site, &[])).send().unwrap();
        let browser_cookie = start.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let by_hand = Request::get(&server.url("/login")).header("Cookie", &browser_cookie).send().unwrap();
        let form = propusk_tests::html::forms(&by_hand.text()).into_iter().find(|form| form.has("login-submit")).unwrap();
        Self {
            code: server.code(&site, &anna, &[]),
            code_with_challenge: server.code(&site, &anna, &with_challenge),
            code_expired,
            code_reused,
            access: text(&tokens, "access_token"),
            refresh: text(&tokens, "refresh_token"),
            id_token: text(&tokens, "id_token"),
            access_revoked: text(&revoked, "access_token"),
            refresh_revoked: text(&revoked, "refresh_token"),
            access_of_disabled,
            access_of_chat: text(&server.tokens(&chat, &anna, "openid"), "access_token"),
            access_of_worker: text(&worker_answer.json(), "access_token"),
            access_without_openid: text(&server.tokens(&site, &anna, "profile"), "access_token"),
            refresh_of_spa: text(&server.tokens(&spa, &anna, "openid offline_access"), "refresh_token"),
            flow: start.location_param("flow").unwrap(),
            browser_cookie,
            flow_without_client: form.value("flow").unwrap().to_owned(),
            server,
            site,
            two,
            chat,
            spa,
            native,
            worker,
            api,
            off,
            bare,
        }
    }

    /// An authorization request of `site`; an empty value leaves a parameter out.
    pub(super) fn authorize(&self, more: &[(&str, &str)]) -> Request {
        Request::get(&self.server.authorize_url(&self.site, more))
    }

    /// The same with raw text behind it.
    pub(super) fn authorize_raw(&self, more: &str) -> Request {
        Request::get(&format!("{}{more}", self.server.authorize_url(&self.site, &[])))
    }

    /// A GET of a path.
    pub(super) fn get(&self, path: &str) -> Request {
        Request::get(&self.server.url(path))
    }

    /// A form to a path.
    pub(super) fn form(&self, path: &str, pairs: &[(&str, &str)]) -> Request {
        Request::post(&self.server.url(path)).post_form(pairs)
    }

    /// A form to a path with the client's secret in it.
    pub(super) fn form_as(&self, path: &str, client: &Registered, pairs: &[(&str, &str)]) -> Request {
        let mut form = vec![("client_id", client.id())];
        if !client.secret.is_empty() {
            form.push(("client_secret", client.secret.as_str()));
        }
        form.extend_from_slice(pairs);
        self.form(path, &form)
    }

    /// A token request with the client's secret in the body.
    pub(super) fn token_as(&self, client: &Registered, pairs: &[(&str, &str)]) -> Request {
        self.form_as("/oauth/token", client, pairs)
    }

    /// A redemption of a code by `site`.
    pub(super) fn redeem(&self, code: &str, more: &[(&str, &str)]) -> Request {
        let mut pairs = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", SITE_URI)];
        for (name, value) in more {
            pairs.retain(|(known, _)| known != name);
            if !value.is_empty() {
                pairs.push((name, value));
            }
        }
        self.token_as(&self.site, &pairs)
    }

    /// A form body as it is, with the client's secret in front of it.
    pub(super) fn raw_form_as(&self, path: &str, client: &Registered, rest: &[u8]) -> Request {
        let mut body = form_encode(&[("client_id", client.id()), ("client_secret", &client.secret)]).into_bytes();
        body.extend_from_slice(rest);
        Request::post(&self.server.url(path)).header("Content-Type", propusk_tests::http::FORM).body(body)
    }

    /// The claims of the living access token, changed, signed with the server's own key under this `typ`.
    pub(super) fn forged(&self, typ: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims();
        change(&mut claims);
        let ring = &self.server.instance.keys.ring;
        propusk_crypto::jwt::encode(ring.signer(Algorithm::RS256, START.0).unwrap(), typ, &claims).unwrap()
    }

    /// The same claims, signed with another key under a header of our choice.
    pub(super) fn signed_by(&self, key: &SigningKey, header: &Value) -> String {
        let input = format!("{}.{}", part(header), part(&self.claims()));
        let signature = key.sign(input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The claims of the living access token.
    pub(super) fn claims(&self) -> Value {
        let payload = self.access.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    /// The `kid` of the key that signs.
    pub(super) fn kid(&self) -> String {
        self.server.instance.keys.ring.signer(Algorithm::RS256, START.0).unwrap().kid.clone()
    }

    /// Every kind of token that was never issued, or is dead: (name, token).
    pub(super) fn dead_tokens(&self) -> Vec<(&'static str, Vec<String>)> {
        let parts: Vec<&str> = self.access.split('.').collect();
        let (head, payload, signature) = (parts[0], parts[1], parts[2]);
        let (stranger, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let (rsa, _) = SigningKey::generate(Algorithm::RS256).unwrap();
        let own = self.kid();
        let none = part(&json!({"alg": "none", "typ": "at+jwt", "kid": own}));
        let hmac_head = part(&json!({"alg": "HS256", "typ": "at+jwt", "kid": own}));
        let jwk = self.server.instance.keys.ring.verifier(&own).unwrap().jwk().to_string();
        let mac = propusk_crypto::hmac_sha256(jwk.as_bytes(), &[format!("{hmac_head}.{payload}").as_bytes()]);
        let es_head = json!({"alg": "ES256", "typ": "at+jwt", "kid": own});
        let mut flipped = signature.to_owned().into_bytes();
        flipped[10] = if flipped[10] == b'A' { b'B' } else { b'A' };
        let flipped = String::from_utf8(flipped).unwrap();
        let mut other_claims = self.claims();
        other_claims["sub"] = json!("somebody-else");
        vec![
            ("alg none without a signature", vec![format!("{none}.{payload}.")]),
            ("alg none with the genuine signature", vec![format!("{none}.{payload}.{signature}")]),
            ("alg HS256 keyed with the public key", vec![format!("{hmac_head}.{payload}.{}", URL_SAFE_NO_PAD.encode(mac))]),
            ("alg ES256 under the kid of the RSA key", vec![self.signed_by(&stranger, &es_head)]),
            ("another RSA key under our kid", vec![self.signed_by(&rsa, &json!({"alg": "RS256", "typ": "at+jwt", "kid": own}))]),
            ("another RSA key under its own kid", vec![self.signed_by(&rsa, &json!({"alg": "RS256", "typ": "at+jwt", "kid": "stranger"}))]),
            (
                "a key that the token brings along",
                vec![self.signed_by(&rsa, &json!({"alg": "RS256", "typ": "at+jwt", "kid": "stranger", "jwk": rsa.jwk()}))],
            ),
            ("no kid", vec![self.signed_by(&rsa, &json!({"alg": "RS256", "typ": "at+jwt"}))]),
            (
                "a kid that reaches for a file or a table",
                ["../../etc/passwd", "' OR 1=1 --"].map(|kid| self.signed_by(&rsa, &json!({"alg": "RS256", "typ": "at+jwt", "kid": kid}))).to_vec(),
            ),
            (
                "a critical header that nobody knows",
                vec![self.signed_by(&rsa, &json!({"alg": "RS256", "typ": "at+jwt", "kid": own, "crit": ["b64"]}))],
            ),
            ("the typ of an ID token", vec![self.forged("JWT", |_| {})]),
            ("the typ of a logout token", vec![self.forged("logout+jwt", |_| {})]),
            ("an ID token", vec![self.id_token.clone()]),
            ("another issuer", vec![self.forged("at+jwt", |claims| claims["iss"] = json!("https://evil.example"))]),
            ("expired long ago", vec![self.forged("at+jwt", |claims| claims["exp"] = json!(START.0 - 3600))]),
            ("expired this second", vec![self.forged("at+jwt", |claims| claims["exp"] = json!(START.0 + 61))]),
            ("issued in an hour", vec![self.forged("at+jwt", |claims| claims["iat"] = json!(START.0 + 3661))]),
            ("an expiry that is a text", vec![self.forged("at+jwt", |claims| claims["exp"] = json!("tomorrow"))]),
            ("no subject", vec![self.forged("at+jwt", |claims| drop(claims.as_object_mut().unwrap().remove("sub")))]),
            ("a grant that never was", vec![self.forged("at+jwt", |claims| claims["jti"] = json!("nobody.x"))]),
            ("a client that never was", vec![self.forged("at+jwt", |claims| claims["client_id"] = json!("nobody"))]),
            ("claims exchanged", vec![format!("{head}.{}.{signature}", part(&other_claims))]),
            ("a signature with one bit changed", vec![format!("{head}.{payload}.{flipped}")]),
            ("truncated", vec![self.access[..self.access.len() - 9].to_owned(), format!("{head}.{payload}"), head.to_owned()]),
            ("a fourth part", vec![format!("{}.{signature}", self.access)]),
            ("an array for claims", vec![format!("{head}.{}.{signature}", part(&json!([1, 2])))]),
            ("no JSON at all", vec!["a.b.c".to_owned(), "-".to_owned(), ".".to_owned()]),
            ("eight KiB of letters", vec!["a".repeat(8192)]),
            ("eight KiB in three parts", vec![format!("{head}.{}.{signature}", "A".repeat(8190 - head.len() - signature.len()))]),
            ("a refresh token", vec![self.refresh.clone()]),
            ("an authorization code", vec![self.code.clone()]),
            ("of a revoked grant", vec![self.access_revoked.clone()]),
            ("of a disabled person", vec![self.access_of_disabled.clone()]),
        ]
    }
}

/// One part of a JWT.
pub(super) fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap())
}
