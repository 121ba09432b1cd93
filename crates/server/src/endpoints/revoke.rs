//! `POST /oauth/revoke` (RFC 7009).

use super::authenticated;
use crate::bearer::verified;
use crate::extract::form::Form;
use crate::state::AppState;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use propusk_domain::revoke::{Revocable, revoke};
use propusk_domain::{Error, Result, UnixTime};
use propusk_protocol::RevocationRequest;

/// Revokes a token of the client that asks; a token that is worth nothing is revoked already.
pub(crate) async fn post(state: Data<AppState>, request: HttpRequest, form: Form) -> HttpResponse {
    let now = state.now();
    match run(&state, &request, form, now).await {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(error) => state.report("revoke", error, now).json(),
    }
}

async fn run(state: &AppState, request: &HttpRequest, form: Form, now: UnixTime) -> Result<()> {
    let (params, client) = authenticated(state, request, form, now).await?;
    let wanted = RevocationRequest::parse(&params)?;
    let token = match verified(state, &wanted.token, now).await {
        Ok(claims) => Revocable::Access(Box::new(claims)),
        Err(Error::Refused(_)) => Revocable::Refresh(wanted.token),
        Err(fault) => return Err(fault),
    };
    state.write(now, move |cx| revoke(cx, client.id(), &token)).await
}
