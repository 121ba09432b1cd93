//! `/register/finish`: where the link in the mail leads. The password is chosen here, the person is added and signed in, and the sign-in
//! goes on in the browser that began it.

use super::Problem;
use crate::extract::address::client_address;
use crate::extract::cookies::{self, Kind};
use crate::extract::form::{Form, query};
use crate::extract::header;
use crate::pages::account::view::Notice;
use crate::pages::answer::set_browser_cookie;
use crate::pages::i18n::{Arg, t, t_args};
use crate::pages::login::{Done, signed_in};
use crate::pages::set_password::{going_on, must_be_posted_here, without_referrer};
use crate::pages::step::{self, BrowserCookie, Judged};
use crate::pages::view::Page;
use crate::pages::{common, error, html, locale};
use crate::password::hash_new;
use crate::password_strength::{judge, words_of};
use crate::state::AppState;
use crate::trace;
use actix_web::http::StatusCode;
use actix_web::http::header::USER_AGENT;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use propusk_domain::error::printable;
use propusk_domain::flow::Flow;
use propusk_domain::registration::{self, RegistrationLink};
use propusk_domain::session::Browser;
use propusk_domain::trace::Step;
use propusk_domain::user::is_valid_username;
use propusk_domain::{Cause, Error, Refusal, Result, UnixTime, login};
use propusk_protocol::Params;

/// A message that the template does not name itself.
pub(crate) const HINT: &str = "register-password-hint";

/// `/register/finish`: `#username #password #register-finish-submit`, posts `token username new_password` to `{base}/register/finish`.
#[derive(Debug, Clone, Template)]
#[template(path = "register_finish.html")]
struct Finish<'a> {
    page: Page<'a>,
    token: &'a str,
    username: &'a str,
    address: &'a str,
    problem: Option<FinishProblem>,
    min_length: usize,
}

/// What is wrong with what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FinishProblem {
    Username(Problem),
    Password(Notice),
}

impl Finish<'_> {
    fn problem_text(&self) -> Option<String> {
        Some(match self.problem? {
            FinishProblem::Username(problem) => t(self.page.locale, problem.key()),
            FinishProblem::Password(notice) => notice.text(self.page.locale),
        })
    }

    fn username_is_bad(&self) -> bool {
        matches!(self.problem, Some(FinishProblem::Username(_)))
    }

    fn password_is_bad(&self) -> bool {
        matches!(self.problem, Some(FinishProblem::Password(_)))
    }

    fn hint(&self) -> String {
        let count = u64::try_from(self.min_length).unwrap_or(u64::MAX);
        t_args(self.page.locale, HINT, &[("count", Arg::Number(count))])
    }
}

/// Shows the form; opening the link uses nothing up, because mail scanners open links, too.
pub(crate) async fn show(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let now = state.now();
    let result = match query(&request) {
        Ok(params) => shown(&state, &request, &params, now).await,
        Err(refusal) => Err(refusal.into()),
    };
    result.unwrap_or_else(|failure| error::of(&state, &request, "register", failure))
}

/// Adds the person, uses the link up and signs in.
pub(crate) async fn post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    let result = match form.0 {
        Ok(params) => finish(&state, &request, &params, now).await,
        Err(refusal) => Err(refusal.into()),
    };
    result.unwrap_or_else(|failure| error::of(&state, &request, "register", failure))
}

async fn shown(state: &AppState, request: &HttpRequest, params: &Params, now: UnixTime) -> Result<HttpResponse> {
    let token = params.get("token").unwrap_or_default();
    let link = opened(state, token, now).await?;
    let mut response = render(state, request, Some(params), token, &link, (&link.applicant.username, None));
    set_browser_cookie(state, &mut response, &BrowserCookie::of(state, request));
    Ok(response)
}

async fn finish(state: &AppState, request: &HttpRequest, params: &Params, now: UnixTime) -> Result<HttpResponse> {
    must_be_posted_here(state, request)?;
    // The form signs in. Without the cookie of its page, which another site's form does not bring along, a visitor could be made to
    // sign in as somebody else.
    if cookies::read(request, &state.settings, Kind::Browser).is_none() {
        return Err(Refusal::invalid_request("The form came without its cookie", Cause::LostCookie)
            .expected("the cookie of the browser that opened the page")
            .received("no such cookie")
            .fix("let the browser keep cookies of this site, and open the link again")
            .into());
    }
    let token = params.get("token").unwrap_or_default();
    // Before the hash is computed: without a link nobody makes the server work.
    let link = opened(state, token, now).await?;
    let username = params.get("username").unwrap_or_default().trim_matches(' ').to_owned();
    let password = params.get("new_password").unwrap_or_default();
    if let Some(problem) = problem(state, &link, &username, password) {
        return Ok(render(state, request, None, token, &link, (&username, Some(problem))));
    }
    let hash = hash_new(state, password.to_owned()).await?;
    let (flow, judged) = flow_of(state, request, &link, now).await;
    trace::enter_flow(request, &flow, Step::SignedIn);
    match add(state, request, (&link, &username), hash, judged.clone(), now).await {
        Ok(done) => Ok(signed_in(state, request, judged, flow, done, now).await),
        Err(Error::Refused(refusal)) if refusal.detail.cause == Cause::NameTaken => {
            // Unless it is the address, or the same link, pressed twice, that has taken it.
            opened(state, token, now).await?;
            let problem = FinishProblem::Username(Problem::UsernameTaken);
            Ok(render(state, request, None, token, &link, (&username, Some(problem))))
        }
        // Lost a race in the very same moment: what the winner did to the link is the answer.
        Err(Error::Fault(fault)) if fault.passing => {
            opened(state, token, now).await?;
            Err(fault.into())
        }
        Err(failure) => Err(failure),
    }
}

fn problem(state: &AppState, link: &RegistrationLink, username: &str, password: &str) -> Option<FinishProblem> {
    if !is_valid_username(username) {
        return Some(FinishProblem::Username(Problem::BadUsername));
    }
    let applicant = &link.applicant;
    let names = words_of([username, &applicant.name, &applicant.address]);
    judge(password, &names, &state.settings.password).err().map(|weakness| FinishProblem::Password(weakness.into()))
}

/// The sign-in during which the account was asked for, where it goes on in this browser; otherwise one that leads home.
async fn flow_of(state: &AppState, request: &HttpRequest, link: &RegistrationLink, now: UnixTime) -> (Flow, Option<Judged>) {
    let parked = link.applicant.flow.as_deref();
    if going_on(state, request, parked, now).await
        && let Ok(flow) = step::open(state, parked, now).await
    {
        match &flow.request {
            None => return (flow, None),
            // A client that was removed meanwhile is no reason to add nobody.
            Some(wanted) => {
                if let Ok(judged) = step::rejudge(state, wanted, now).await {
                    return (flow, Some(judged));
                }
            }
        }
    }
    (Flow::begin(String::new(), None, BrowserCookie::of(state, request).digest(), now), None)
}

/// Adds the person, begins the session and goes on with the request, in one transaction.
async fn add(
    state: &AppState,
    request: &HttpRequest,
    (link, username): (&RegistrationLink, &str),
    hash: String,
    judged: Option<Judged>,
    now: UnixTime,
) -> Result<Done> {
    let browser = Browser { user_agent: header(request, USER_AGENT).map(printable), address: Some(client_address(request, &state.settings)) };
    let previous = step::session_cookie(state, request);
    let role = state.settings.registration.role.clone();
    let (link, username) = (link.clone(), username.to_owned());
    state
        .write(now, move |cx| {
            let user = registration::complete(cx, &link, &username, &role, hash.clone())?;
            let previous = step::live_session(cx, previous.as_deref())?;
            let (session, cookie) = login::complete(cx, &user, None, previous, browser.clone())?;
            let outcome = match &judged {
                Some(judged) => Some(judged.advance(cx, Some(&session), Some(&session.sid), false)?),
                None => None,
            };
            Ok(Done { session, cookie, outcome })
        })
        .await
}

async fn opened(state: &AppState, token: &str, now: UnixTime) -> Result<RegistrationLink> {
    let token = token.to_owned();
    state.read(now, move |cx| registration::open(cx.store, &token, cx.keys, cx.now)).await
}

fn render(
    state: &AppState,
    request: &HttpRequest,
    params: Option<&Params>,
    token: &str,
    link: &RegistrationLink,
    (username, problem): (&str, Option<FinishProblem>),
) -> HttpResponse {
    let language = locale(state, request, params, &[], Some(&link.applicant.language));
    let page = common(state, language, "/register/finish", &[("token", token)]);
    let min_length = state.settings.password.min_length;
    let view = Finish { page, token, username, address: &link.applicant.address, problem, min_length };
    without_referrer(html(if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK }, &view))
}
