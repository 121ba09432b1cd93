//! Another e-mail address: asked for with the password, confirmed by a link that goes to it.

use super::view::Notice;
use super::{done, refused, show};
use crate::extract::address::client_address;
use crate::mail::can_be_written_to;
use crate::pages::locale;
use crate::password::check;
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::session::Session;
use propusk_domain::user::{User, name_key};
use propusk_domain::{Cause, Error, Refusal, Result, UnixTime, email_change};
use propusk_protocol::{ErrorCode, Params};

/// How often a person may ask in an hour: each time a mail goes to an address that may be anybody's.
const AT_MOST: i64 = 5;

/// Seconds over which a person's wishes are counted.
const WINDOW: i64 = 3600;

/// Asks for a link to the new address. The answer is the same whether or not somebody else has that address: it is looked up when the
/// mail is to be sent.
pub(super) async fn change(
    state: &AppState,
    request: &HttpRequest,
    params: &Params,
    signed_in: (Session, User),
    now: UnixTime,
) -> Result<HttpResponse> {
    if !state.settings.smtp.is_set() {
        return Err(Refusal::invalid_request("Addresses are not changed here", Cause::MalformedRequest)
            .expected("a form that the page shows")
            .received("another")
            .fix("set smtp.url, or change the address by propusk user set NAME --email ADDRESS")
            .into());
    }
    // Blanks around it come from copying. Anything else, such as a line end, is no part of an address and no accident.
    let address = params.get("new_email").unwrap_or_default().trim_matches(' ');
    if !can_be_written_to(address) {
        return show(state, request, Some(params), &signed_in, (Some(Notice::BadEmail), StatusCode::BAD_REQUEST), now).await;
    }
    let claims = &signed_in.1.claims;
    if claims.email_verified == Some(true) && claims.email.as_deref().is_some_and(|present| name_key(present) == name_key(address)) {
        return show(state, request, Some(params), &signed_in, (Some(Notice::SameEmail), StatusCode::BAD_REQUEST), now).await;
    }
    let password = params.get("old_password").unwrap_or_default();
    match ask(state, request, params, (&signed_in.1, password), address, now).await {
        Ok(()) => Ok(done(state, "email")),
        Err(failure @ Error::Refused(_)) => {
            let reported = state.report("account", failure, now);
            let (notice, status) = match refused(&reported) {
                (Some(Notice::WrongPassword), status) => (Some(Notice::WrongPasswordForEmail), status),
                other => other,
            };
            let mut response = show(state, request, Some(params), &signed_in, (notice, status), now).await?;
            if let Some(seconds) = reported.retry_after {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
            Ok(response)
        }
        Err(fault) => Err(fault),
    }
}

/// Whoever holds nothing but the session must not move the account to another mailbox: the password is asked, and counted with the
/// sign-ins.
async fn ask(state: &AppState, request: &HttpRequest, params: &Params, (user, password): (&User, &str), address: &str, now: UnixTime) -> Result<()> {
    let checked = check(state, &user.username, password, &client_address(request, &state.settings), now).await?;
    let counter = format!("email:{}:{}", user.sub, now.0.div_euclid(WINDOW));
    let count = state.blocking(move |state| state.ephemeral.count(&counter, 1, WINDOW, now)).await??;
    if count > AT_MOST {
        let wait = WINDOW - now.0.rem_euclid(WINDOW);
        return Err(Refusal::new(ErrorCode::TooManyRequests, "Too many mails were asked for, try again later", Cause::LoginThrottled)
            .expected(format!("at most {AT_MOST} wishes for another address in an hour"))
            .received(format!("{count} wishes"))
            .retry_after(wait)
            .fix(format!("wait {wait} s"))
            .into());
    }
    let language = locale(state, request, Some(params), &[], user.locale.as_deref()).tag();
    let address = address.to_owned();
    state.write(now, move |cx| email_change::ask(cx, &checked.user, &address, language)).await
}
