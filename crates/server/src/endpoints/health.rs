//! `GET /healthz`: the process serves. `GET /readyz`: everything that it needs answers.

use crate::state::AppState;
use actix_web::HttpResponse;
use actix_web::web::Data;
use propusk_domain::Fault;
use serde_json::json;

/// The process serves.
pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// Database, ephemeral store and keys are usable; 503 names the one that is not.
pub(crate) async fn readyz(state: Data<AppState>) -> HttpResponse {
    let now = state.now();
    if !state.keys().can_serve(now) {
        return not_ready("keys");
    }
    let checks = state.blocking(|state| (state.db.ping(), state.ephemeral.ping())).await;
    match checks {
        Ok((Ok(()), Ok(()))) => HttpResponse::Ok().json(json!({"status": "ready"})),
        Ok((Err(fault), _)) => unavailable("database", &fault),
        Ok((_, Err(fault))) => unavailable("ephemeral", &fault),
        Err(_) => not_ready("threads"),
    }
}

fn unavailable(part: &'static str, fault: &Fault) -> HttpResponse {
    tracing::warn!(part, fault = %fault, "not ready");
    not_ready(part)
}

fn not_ready(part: &str) -> HttpResponse {
    HttpResponse::ServiceUnavailable().json(json!({"status": "unavailable", "part": part}))
}
