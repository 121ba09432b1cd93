//! One step of a sign-in: the sealed flow, the browser that holds it, the client and request inside it, judged anew each
//! time because client and person may have changed since.

use crate::extract::address::client_address;
use crate::extract::cookies::{self, Kind};
use crate::state::AppState;
use actix_web::HttpRequest;
use propusk_crypto::{Secret, digest};
use propusk_domain::authorize::{Attempt, Outcome, ProvenTarget, advance, judge, prove_target};
use propusk_domain::client::RegisteredClient;
use propusk_domain::flow::{Flow, Sealed};
use propusk_domain::session::{self, Session};
use propusk_domain::{Cause, Cx, Error, Refusal, Result, UnixTime};
use propusk_protocol::{AuthorizeRequest, ErrorCode, Scope, Target};
use std::sync::Arc;

/// A request whose client and redirect URI are proven and whose scope is judged.
#[derive(Clone)]
pub struct Judged {
    /// The client.
    pub client: Arc<RegisteredClient>,
    /// Where the answer goes.
    pub target: ProvenTarget,
    /// The request.
    pub request: AuthorizeRequest,
    /// The scope that it asks for.
    pub scope: Scope,
}

impl Judged {
    /// Goes as far as `session` allows, inside a write transaction.
    pub fn advance(&self, cx: &mut Cx<'_>, session: Option<&Session>, signed_in: Option<&str>, allowed: bool) -> Result<Outcome> {
        let attempt = Attempt { client: &self.client, target: &self.target, request: &self.request, scope: &self.scope, signed_in, allowed };
        advance(cx, &attempt, session)
    }
}

/// Why a request cannot go on: before the target is proven it is a page, afterwards a redirect to the target.
pub enum Rejected {
    /// Shown to the person.
    Page(Error),
    /// Sent to the client.
    Redirect(Box<(ProvenTarget, AuthorizeResponseContext, Error)>),
}

/// What an answer to the client needs besides its parameters.
#[derive(Debug, Clone)]
pub struct AuthorizeResponseContext {
    /// The client.
    pub client_id: String,
    /// What people call it.
    pub client_name: String,
    /// Echoed byte for byte.
    pub state: Option<String>,
    /// How the answer travels.
    pub response_mode: propusk_protocol::ResponseMode,
    /// The languages that the client asked for, for the page that carries a `form_post` answer.
    pub ui_locales: Vec<String>,
}

impl AuthorizeResponseContext {
    /// Of a request whose target is proven; the rest of it may still be wrong.
    pub fn of(client: &RegisteredClient, target: &Target, ui_locales: &[String]) -> Self {
        Self {
            client_id: client.id().to_owned(),
            client_name: client.client.name.clone(),
            state: target.state.clone(),
            response_mode: target.response_mode.unwrap_or_default(),
            ui_locales: ui_locales.to_vec(),
        }
    }

    /// Of a judged request.
    pub fn of_request(client: &RegisteredClient, request: &AuthorizeRequest) -> Self {
        Self::of(client, &target_of(request), &request.ui_locales)
    }
}

/// Proves and judges the request of a flow again.
pub async fn rejudge(state: &AppState, request: &AuthorizeRequest, now: UnixTime) -> Result<Judged, Rejected> {
    let (client, proven) = prove(state, &target_of(request), now).await.map_err(Rejected::Page)?;
    match judge(&client.client, request) {
        Ok(scope) => Ok(Judged { client, target: proven, request: request.clone(), scope }),
        Err(refusal) => {
            let context = AuthorizeResponseContext::of_request(&client, request);
            Err(Rejected::Redirect(Box::new((proven, context, refusal.into()))))
        }
    }
}

fn target_of(request: &AuthorizeRequest) -> Target {
    Target {
        client_id: Some(request.client_id.clone()),
        redirect_uri: request.redirect_uri.clone(),
        state: request.state.clone(),
        response_mode: Some(request.response_mode),
    }
}

/// Proves client and redirect URI.
pub async fn prove(state: &AppState, target: &Target, now: UnixTime) -> Result<(Arc<RegisteredClient>, ProvenTarget)> {
    let client = match &target.client_id {
        Some(client_id) => state.client(client_id, now).await?,
        None => None,
    };
    let proven = prove_target(client.as_ref().map(|client| &client.client), target)?;
    let client = client.ok_or_else(|| Refusal::invalid_request("client_id is missing", Cause::UnknownClient))?;
    Ok((client, proven))
}

/// The session cookie of a request, when it could be one.
pub fn session_cookie(state: &AppState, request: &HttpRequest) -> Option<String> {
    cookies::read(request, &state.settings, Kind::Session)
}

/// The live session behind a cookie, inside a transaction.
pub fn live_session(cx: &mut Cx<'_>, cookie: Option<&str>) -> Result<Option<Session>> {
    match cookie {
        Some(cookie) => Ok(session::find_alive(cx.store, cookie, cx.policy.session_idle, cx.now)?),
        None => Ok(None),
    }
}

/// The pre-session cookie of the browser: the one it has, or a new one to set.
pub struct BrowserCookie {
    value: Secret,
    /// Whether the browser does not have it yet.
    pub is_new: bool,
}

impl BrowserCookie {
    /// Of the browser that sent the request.
    pub fn of(state: &AppState, request: &HttpRequest) -> Self {
        match cookies::read(request, &state.settings, Kind::Browser) {
            Some(value) => Self { value: Secret::new(value), is_new: false },
            None => Self { value: Secret::generate(&state.rng, ""), is_new: true },
        }
    }

    /// Its digest, as flows name it.
    pub fn digest(&self) -> String {
        digest(self.value.expose())
    }

    /// The cookie to set.
    pub fn cookie(&self, state: &AppState) -> actix_web::cookie::Cookie<'static> {
        cookies::set(&state.settings, Kind::Browser, self.value.expose())
    }
}

/// Whether the request comes from the browser that began the flow.
pub fn is_same_browser(state: &AppState, request: &HttpRequest, flow: &Flow) -> bool {
    cookies::read(request, &state.settings, Kind::Browser).is_some_and(|value| digest(&value) == flow.browser)
}

/// Marks a flow whose sealed form did not fit into a URL.
const PARKED: char = '~';

/// The longest sealed flow that travels in a URL, in bytes.
const LONGEST_IN_URL: usize = 4096;

/// How many flows one address may park in [`PARKING_WINDOW`] seconds: nobody fills the store with requests that need no account.
const PARKED_AT_MOST: i64 = 120;

/// Seconds over which parked flows are counted.
const PARKING_WINDOW: i64 = 600;

/// Seals a flow for a URL; one over 4 KiB is parked in the ephemeral store and the URL carries its key.
pub async fn seal(state: &AppState, request: &HttpRequest, flow: &Flow, now: UnixTime) -> Result<String> {
    let sealed = flow.seal(&state.keys())?;
    if sealed.len() <= LONGEST_IN_URL {
        return Ok(sealed);
    }
    let key = propusk_crypto::random::token(&state.rng, 16);
    // An expired flow is still opened, to begin it again.
    let lifetime = 2 * state.policy.flow_lifetime;
    let name = format!("flow:{key}");
    let counter = format!("parked:{}:{}", client_address(request, &state.settings), now.0.div_euclid(PARKING_WINDOW));
    let count = state
        .blocking(move |state| {
            let count = state.ephemeral.count(&counter, 1, PARKING_WINDOW, now)?;
            if count <= PARKED_AT_MOST {
                state.ephemeral.put(&name, sealed.as_bytes(), lifetime, now)?;
            }
            Ok::<_, propusk_domain::Fault>(count)
        })
        .await??;
    if count > PARKED_AT_MOST {
        let public = "Too many oversized requests from this address, try again later";
        return Err(Refusal::new(ErrorCode::TooManyRequests, public, Cause::TooLarge)
            .expected(format!("at most {PARKED_AT_MOST} requests over {LONGEST_IN_URL} bytes from one address in {PARKING_WINDOW} s"))
            .received(count.to_string())
            .fix("shorten state in the application; behind a proxy set http.trusted_proxies, or everybody counts as one address")
            .retry_after(PARKING_WINDOW - now.0.rem_euclid(PARKING_WINDOW))
            .into());
    }
    Ok(format!("{PARKED}{key}"))
}

/// Keeps a flow for a link that is used later: the key under which it is parked; `None` for one that cannot be opened. Whoever
/// calls counts the calls.
pub(super) async fn keep(state: &AppState, sealed: &str, now: UnixTime) -> Result<Option<String>> {
    let Ok(flow) = open(state, Some(sealed), now).await else { return Ok(None) };
    if sealed.starts_with(PARKED) {
        return Ok(Some(sealed.to_owned()));
    }
    let key = propusk_crypto::random::token(&state.rng, 16);
    let (name, sealed, lifetime) = (format!("flow:{key}"), flow.seal(&state.keys())?, 2 * state.policy.flow_lifetime);
    state.blocking(move |state| state.ephemeral.put(&name, sealed.as_bytes(), lifetime, now)).await??;
    Ok(Some(format!("{PARKED}{key}")))
}

/// Opens a flow from a URL or form; a refusal when it was damaged, lost or sealed by another installation.
pub async fn open(state: &AppState, sealed: Option<&str>, now: UnixTime) -> Result<Flow> {
    let broken = || {
        Refusal::invalid_request("The sign-in cannot be continued", Cause::FlowBroken)
            .expected("a flow that this server sealed")
            .fix("begin again at the application")
    };
    let sealed = sealed.ok_or_else(|| broken().received("none"))?;
    let flow = match sealed.strip_prefix(PARKED) {
        None => Flow::open(sealed, &state.keys()),
        Some(key) => {
            let name = format!("flow:{key}");
            let parked = state.blocking(move |state| state.ephemeral.get(&name, now)).await??;
            parked.and_then(|bytes| Flow::open(std::str::from_utf8(&bytes).ok()?, &state.keys()))
        }
    };
    Ok(flow.ok_or_else(|| broken().received("a damaged or foreign one"))?)
}
