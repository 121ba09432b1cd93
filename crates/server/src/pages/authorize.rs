//! `GET` and `POST /oauth/authorize` (RFC 6749 §3.1, OIDC Core §3.1.2.1).

use super::answer;
use super::error;
use super::own_url;
use super::see_other;
use super::step::{self, AuthorizeResponseContext, BrowserCookie, Judged};
use crate::extract::form::{Form, query};
use crate::state::AppState;
use crate::trace;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::authorize::{Outcome, judge};
use propusk_domain::flow::Flow;
use propusk_domain::trace::Step;
use propusk_domain::{Error, Refusal, UnixTime};
use propusk_protocol::form::encode;
use propusk_protocol::{AuthorizeRequest, Params, Target};

/// The longest query string that a POST is bounced to; beyond it the request goes on as a parked flow.
const LONGEST_BOUNCE: usize = 4096;

/// A person arrives from a client.
pub async fn get(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    match query(&request) {
        Ok(params) => run(&state, &request, &params, true, now).await,
        Err(refusal) => error::of(&state, &request, "authorize", refusal.into()),
    }
}

/// The same by POST, which arrives without `SameSite=Lax` cookies: it is bounced to a GET that has them.
pub async fn post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    let params = match form.0 {
        Ok(params) => params,
        Err(refusal) => return error::of(&state, &request, "authorize", refusal.into()),
    };
    let pairs: Vec<(&str, &str)> = params.iter().collect();
    let bounced = encode(&pairs);
    if bounced.len() <= LONGEST_BOUNCE {
        return see_other(&format!("{}?{bounced}", own_url(&state, "/oauth/authorize", &[])));
    }
    run(&state, &request, &params, false, now).await
}

/// With `cookies` the session at hand may answer at once; without, the request goes on at the sign-in page, which does the
/// same as soon as the browser sends its cookies.
async fn run(state: &AppState, request: &HttpRequest, params: &Params, cookies: bool, now: UnixTime) -> HttpResponse {
    let target = Target::parse(params);
    let flow_id = trace::new_flow(state, now);
    if let Some(client_id) = &target.client_id {
        trace::enter(request, &flow_id, client_id, Step::Authorize);
    }
    let (client, proven) = match step::prove(state, &target, now).await {
        Ok(proven) => proven,
        Err(failure) => return error::of(state, request, "authorize", failure),
    };
    let ui_locales: Vec<String> = params.get("ui_locales").into_iter().flat_map(str::split_whitespace).map(str::to_owned).collect();
    let context = AuthorizeResponseContext::of(&client, &target, &ui_locales);
    let judged = AuthorizeRequest::parse(params).map_err(|error| Error::from(Refusal::from(error).client(client.id()))).and_then(|wanted| {
        let scope = judge(&client.client, &wanted).map_err(|refusal| Error::from(refusal.client(client.id())))?;
        Ok(Judged { client: client.clone(), target: proven.clone(), request: wanted, scope })
    });
    let judged = match judged {
        Ok(judged) => judged,
        Err(failure) => return answer::error_to_client(state, request, &proven, &context, failure, now),
    };
    let cookie = if cookies { step::session_cookie(state, request) } else { None };
    let result = match cookie {
        // Nobody can be signed in: nothing needs the database.
        None if !judged.request.prompt.none => Ok(Outcome::SignIn { again: false }),
        cookie => {
            let judged = judged.clone();
            state
                .write(now, move |cx| {
                    let session = step::live_session(cx, cookie.as_deref())?;
                    judged.advance(cx, session.as_ref(), None, false)
                })
                .await
        }
    };
    finish(state, request, &judged, flow_id, result, now).await
}

async fn finish(
    state: &AppState,
    request: &HttpRequest,
    judged: &Judged,
    flow_id: String,
    result: propusk_domain::Result<Outcome>,
    now: UnixTime,
) -> HttpResponse {
    let browser = BrowserCookie::of(state, request);
    let flow = Flow::begin(flow_id, Some(judged.request.clone()), browser.digest(), now);
    let answered = match result {
        Ok(outcome) => {
            trace::ok(state, request, Step::Authorize, None, now);
            let needs_browser = !matches!(outcome, Outcome::Code(..));
            answer::outcome(state, request, judged, outcome, flow, now).await.map(|response| (response, needs_browser))
        }
        Err(failure) => Err(failure),
    };
    match answered {
        Ok((mut response, needs_browser)) => {
            if needs_browser {
                answer::set_browser_cookie(state, &mut response, &browser);
            }
            response
        }
        Err(failure) => answer::refused(state, request, judged, failure, now),
    }
}
