//! An independent relying party, the `openidconnect` crate, over our raw HTTP client: what it accepts, others accept.

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdTokenVerifier, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, Scope, TokenResponse, http,
};
use propusk_crypto::Algorithm;
use propusk_domain::client::Preset;
use propusk_tests::browser::Browser;
use propusk_tests::http::{HttpError, Request};
use propusk_tests::server::{Backend, Person, Registered, START, TestServer};
use std::time::{Duration, UNIX_EPOCH};

propusk_tests::on_each_backend![the_whole_flow_with_each_algorithm, a_public_client_goes_the_same_way];

/// The crate's requests over our raw client.
fn fetch(request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let (head, body) = request.into_parts();
    let mut raw = Request::new(head.method.as_str(), &head.uri.to_string());
    for (name, value) in &head.headers {
        raw = raw.header(name.as_str(), value.as_bytes());
    }
    let answer = raw.body(body).send()?;
    let mut response = http::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(answer.body).map_err(|error| HttpError::Malformed(error.to_string()))
}

/// What one round through the pages and the token endpoint brings.
struct Round {
    tokens: openidconnect::core::CoreTokenResponse,
    nonce: Nonce,
}

struct Party {
    metadata: CoreProviderMetadata,
    client: Registered,
}

impl Party {
    fn new(server: &TestServer, client: &Registered) -> Self {
        let metadata = CoreProviderMetadata::discover(&IssuerUrl::new(server.issuer.clone()).unwrap(), &fetch).unwrap();
        assert_eq!(metadata.issuer().as_str(), server.issuer);
        Self { metadata, client: client.clone() }
    }

    fn secret(&self) -> Option<ClientSecret> {
        (!self.client.secret.is_empty()).then(|| ClientSecret::new(self.client.secret.clone()))
    }

    fn go_round(&self, person: &Person, auth: AuthType) -> Round {
        let party = CoreClient::from_provider_metadata(self.metadata.clone(), ClientId::new(self.client.id().to_owned()), self.secret())
            .set_redirect_uri(RedirectUrl::new(self.client.redirect_uri().to_owned()).unwrap())
            .set_auth_type(auth);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = party.authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
        for scope in ["profile", "email", "offline_access"] {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        let mut browser = Browser::new().stop_at(self.client.redirect_uri());
        browser.visit(url.as_str()).unwrap();
        let mut landing = browser.sign_in(&person.user.username, &person.password).unwrap();
        if landing.stopped.is_none() {
            landing = browser.press("consent-allow").unwrap();
        }
        assert_eq!(landing.param("state").as_ref(), Some(state.secret()));
        assert_eq!(landing.param("iss").as_deref(), Some(self.metadata.issuer().as_str()), "RFC 9207");
        let code = AuthorizationCode::new(landing.param("code").unwrap_or_else(|| panic!("{}", landing.trace())));
        let tokens = party.exchange_code(code).unwrap().set_pkce_verifier(verifier).request(&fetch).unwrap();
        Round { tokens, nonce }
    }

    /// The crate's own verifier, at the server's time.
    fn verifier(&self, algorithm: CoreJwsSigningAlgorithm) -> CoreIdTokenVerifier<'static> {
        let (id, keys) = (ClientId::new(self.client.id().to_owned()), self.metadata.jwks().clone());
        let verifier = match self.secret() {
            Some(secret) => CoreIdTokenVerifier::new_confidential_client(id, secret, self.metadata.issuer().clone(), keys),
            None => CoreIdTokenVerifier::new_public_client(id, self.metadata.issuer().clone(), keys),
        };
        let now = UNIX_EPOCH + Duration::from_secs(START.0.unsigned_abs());
        verifier.set_allowed_algs([algorithm]).set_time_fn(move || now.into())
    }

    /// Signature, issuer, audience, expiry, nonce and `at_hash`.
    fn check_id_token(&self, round: &Round, person: &Person, algorithm: CoreJwsSigningAlgorithm) {
        let verifier = self.verifier(algorithm.clone());
        let id_token = round.tokens.id_token().unwrap();
        let claims = id_token.claims(&verifier, &round.nonce).unwrap();
        assert_eq!(claims.subject().as_str(), person.user.sub);
        assert_eq!(id_token.signing_alg().unwrap(), &algorithm);
        assert!(claims.auth_time().is_some() && claims.name().is_none() && claims.email().is_none(), "only what an ID token is for");
        // The crate has no at_hash for EdDSA, whose hash is no part of its name.
        if algorithm != CoreJwsSigningAlgorithm::EdDsa {
            let key = id_token.signing_key(&verifier).unwrap();
            let expected = AccessTokenHash::from_token(round.tokens.access_token(), &algorithm, key).unwrap();
            assert_eq!(claims.access_token_hash(), Some(&expected));
        }
        let stranger = Nonce::new("another".to_owned());
        assert!(id_token.claims(&verifier, &stranger).is_err(), "bound to this very request");
    }

    fn check_userinfo(&self, token: &AccessToken, person: &Person) {
        let party = CoreClient::from_provider_metadata(self.metadata.clone(), ClientId::new(self.client.id().to_owned()), self.secret());
        let subject = openidconnect::SubjectIdentifier::new(person.user.sub.clone());
        let told: CoreUserInfoClaims = party.user_info(token.clone(), Some(subject)).unwrap().request(&fetch).unwrap();
        assert_eq!(told.preferred_username().map(|name| name.as_str()), Some(person.user.username.as_str()));
        assert_eq!(told.email().map(|email| email.as_str().to_owned()), Some(format!("{}@example.org", person.user.username)));
        assert_eq!(told.email_verified(), Some(true));
        assert_eq!(told.name().and_then(|name| name.get(None)).map(|name| name.as_str().to_owned()), person.user.claims.name);
    }

    /// Refreshing rotates, and what comes is as good as the first.
    fn check_refresh(&self, round: &Round, person: &Person) {
        let party = CoreClient::from_provider_metadata(self.metadata.clone(), ClientId::new(self.client.id().to_owned()), self.secret());
        let first = round.tokens.refresh_token().unwrap();
        let second = party.exchange_refresh_token(first).unwrap().request(&fetch).unwrap();
        assert_ne!(second.refresh_token().unwrap().secret(), first.secret());
        assert_ne!(second.access_token().secret(), round.tokens.access_token().secret());
        self.check_userinfo(second.access_token(), person);
    }
}

fn the_whole_flow_with_each_algorithm(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "owner");
    for (algorithm, named) in [
        (Algorithm::RS256, CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256),
        (Algorithm::ES256, CoreJwsSigningAlgorithm::EcdsaP256Sha256),
        (Algorithm::EdDSA, CoreJwsSigningAlgorithm::EdDsa),
    ] {
        let id = format!("site-{}", algorithm.as_str().to_lowercase());
        let client = server.add_client(&id, Preset::Web);
        server.set_client(&id, |patch| {
            patch.id_token_alg = Some(algorithm);
            patch.access_token_alg = Some(algorithm);
        });
        server.settle();
        let party = Party::new(&server, &client);
        for auth in [AuthType::BasicAuth, AuthType::RequestBody] {
            let round = party.go_round(&anna, auth);
            party.check_id_token(&round, &anna, named.clone());
            party.check_userinfo(round.tokens.access_token(), &anna);
            party.check_refresh(&round, &anna);
        }
    }
}

fn a_public_client_goes_the_same_way(backend: Backend) {
    let server = TestServer::start(backend);
    let anna = server.add_user("anna", "user");
    let client = server.add_client("app", Preset::Spa);
    let party = Party::new(&server, &client);
    let round = party.go_round(&anna, AuthType::RequestBody);
    party.check_id_token(&round, &anna, CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256);
    party.check_userinfo(round.tokens.access_token(), &anna);
    party.check_refresh(&round, &anna);
}

#[test]
fn an_id_token_of_another_client_or_time_is_refused_by_the_party() {
    let server = TestServer::start(Backend::Sqlite);
    let anna = server.add_user("anna", "user");
    let (one, other) = (server.add_client("one", Preset::Web), server.add_client("other", Preset::Web));
    let (one, other) = (Party::new(&server, &one), Party::new(&server, &other));
    let round = one.go_round(&anna, AuthType::BasicAuth);
    let id_token = round.tokens.id_token().unwrap();
    let algorithm = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    assert!(id_token.claims(&other.verifier(algorithm.clone()), &round.nonce).is_err(), "the audience is the client");
    let tomorrow = UNIX_EPOCH + Duration::from_secs(START.0.unsigned_abs() + 86_400);
    assert!(id_token.claims(&one.verifier(algorithm).set_time_fn(move || tomorrow.into()), &round.nonce).is_err(), "it expires");
}
