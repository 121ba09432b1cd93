//! `/register`: somebody types a username, a name and an address, and gets a mail. Nothing of a person exists before the link in it is
//! used, on [`finish`]. The answer is the same whether or not the address belongs to somebody.

pub(crate) mod finish;

use super::step;
use super::view::Page;
use super::{common, error, html, i18n, locale, own_url, see_other};
use crate::extract::address::client_address;
use crate::extract::form::{Form, query};
use crate::extract::origin::{Posted, foreign_form, posted_from};
use crate::mail::can_be_written_to;
use crate::routes;
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, get, head, post};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use i18n::t;
use propusk_domain::registration::{self, Applicant, can_be_name, is_username_taken};
use propusk_domain::throttle::{Thresholds, admit};
use propusk_domain::user::{is_valid_username, name_key};
use propusk_domain::{Result, UnixTime};
use propusk_protocol::Params;

/// Each may become a mail; and each tells whether a username is taken, so nobody reads a list of them here.
const THRESHOLDS: Thresholds = Thresholds { account_at_address: 6, account: 10, address: 20, longest_pause: 60 };

/// `/register`: `#username #name #email #register-submit`, posts `flow username name email` to `{base}/register`; `#register-sent`
/// afterwards.
#[derive(Debug, Clone, Template)]
#[template(path = "register.html")]
struct Register<'a> {
    page: Page<'a>,
    flow: &'a str,
    typed: Typed<'a>,
    problem: Option<Problem>,
    is_sent: bool,
    login_href: String,
}

/// What the fields hold.
#[derive(Debug, Clone, Copy, Default)]
struct Typed<'a> {
    username: &'a str,
    name: &'a str,
    email: &'a str,
}

/// What is wrong with what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    BadUsername,
    UsernameTaken,
    BadName,
    BadEmail,
}

impl Problem {
    /// One of each, for tests.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 4] = [Self::BadUsername, Self::UsernameTaken, Self::BadName, Self::BadEmail];

    /// The message.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::BadUsername => "register-bad-username",
            Self::UsernameTaken => "register-username-taken",
            Self::BadName => "account-bad-name",
            Self::BadEmail => "account-bad-email",
        }
    }
}

impl Register<'_> {
    fn problem_text(&self) -> Option<String> {
        self.problem.map(|problem| t(self.page.locale, problem.key()))
    }

    fn username_is_bad(&self) -> bool {
        matches!(self.problem, Some(Problem::BadUsername | Problem::UsernameTaken))
    }

    fn name_is_bad(&self) -> bool {
        self.problem == Some(Problem::BadName)
    }

    fn email_is_bad(&self) -> bool {
        self.problem == Some(Problem::BadEmail)
    }
}

/// The resources, where strangers make accounts; otherwise their paths are as unknown as any other.
pub(crate) fn configure(config: &mut ServiceConfig, is_on: bool) {
    if !is_on {
        return;
    }
    let finish = routes::page("/register/finish", "register", "GET, HEAD, POST");
    config
        .service(
            routes::page("/register", "register", "GET, HEAD, POST").route(get().to(show_form)).route(head().to(show_form)).route(post().to(ask)),
        )
        .service(finish.route(get().to(finish::show)).route(head().to(finish::show)).route(post().to(finish::post)));
}

/// Shows the form, or that a mail is under way.
async fn show_form(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    match query(&request) {
        Ok(params) => {
            let is_sent = params.get("sent").is_some();
            show(&state, &request, Some(&params), params.get("flow").unwrap_or_default(), (Typed::default(), None), is_sent)
        }
        Err(refusal) => error::of(&state, &request, "register", refusal.into()),
    }
}

/// Writes down that somebody wants an account.
async fn ask(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    let result = match form.0 {
        Ok(params) => asked(&state, &request, &params, now).await,
        Err(refusal) => Err(refusal.into()),
    };
    result.unwrap_or_else(|failure| error::of(&state, &request, "register", failure))
}

async fn asked(state: &AppState, request: &HttpRequest, params: &Params, now: UnixTime) -> Result<HttpResponse> {
    if posted_from(request, &state.settings) == Posted::Elsewhere {
        return Err(foreign_form("open the page again").into());
    }
    let sealed = params.get("flow").unwrap_or_default();
    let text = |name| params.get(name).unwrap_or_default().trim_matches(' ');
    let typed = Typed { username: text("username"), name: text("name"), email: text("email") };
    if let Some(problem) = judge(typed) {
        return Ok(show(state, request, None, sealed, (typed, Some(problem)), false));
    }
    let (key, address) = (format!("register:{}", name_key(typed.email)), format!("register:{}", client_address(request, &state.settings)));
    state.blocking(move |state| admit(state.ephemeral.as_ref(), &key, &address, THRESHOLDS, now)).await??;
    let username = typed.username.to_owned();
    if state.read(now, move |cx| is_username_taken(cx.store, &username)).await? {
        return Ok(show(state, request, None, sealed, (typed, Some(Problem::UsernameTaken)), false));
    }
    let flow = match sealed {
        "" => None,
        sealed => step::keep(state, sealed, now).await?,
    };
    let applicant = Applicant {
        username: typed.username.to_owned(),
        name: typed.name.to_owned(),
        address: typed.email.to_owned(),
        flow,
        language: locale(state, request, Some(params), &[], None).tag().to_owned(),
    };
    state.write(now, move |cx| Ok(registration::ask(cx, applicant.clone())?)).await?;
    let mut pairs = with_flow(sealed);
    pairs.push(("sent", "1"));
    Ok(see_other(&own_url(state, "/register", &pairs)))
}

/// What can be said without asking whether anybody has it.
fn judge(typed: Typed<'_>) -> Option<Problem> {
    if !is_valid_username(typed.username) {
        return Some(Problem::BadUsername);
    }
    if !can_be_name(typed.name) {
        return Some(Problem::BadName);
    }
    (!can_be_written_to(typed.email)).then_some(Problem::BadEmail)
}

fn show(
    state: &AppState,
    request: &HttpRequest,
    params: Option<&Params>,
    flow: &str,
    (typed, problem): (Typed<'_>, Option<Problem>),
    is_sent: bool,
) -> HttpResponse {
    let mut pairs = with_flow(flow);
    let login_href = own_url(state, "/login", &pairs);
    if is_sent {
        pairs.push(("sent", "1"));
    }
    let language = locale(state, request, params, &[], None);
    let page = common(state, language, "/register", &pairs);
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    html(status, &Register { page, flow, typed, problem, is_sent, login_href })
}

fn with_flow(flow: &str) -> Vec<(&str, &str)> {
    if flow.is_empty() { Vec::new() } else { vec![("flow", flow)] }
}
