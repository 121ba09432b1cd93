//! Tells a relying party that a session has ended (OpenID Connect Back-Channel Logout 1.0 §2.5).

use super::{Courier, write};
use crate::outbound::{Answer, Outbound};
use crate::state::AppState;
use crate::trace;
use propusk_crypto::jwt::encode;
use propusk_crypto::random::token;
use propusk_domain::backchannel::{AUDIT, Logout, claims, hears_logouts};
use propusk_domain::client::Client;
use propusk_domain::context::Audit;
use propusk_domain::outbox::{Message, Outcome, Topic};
use propusk_domain::trace::{DELIVERED, FAILED, GIVEN_UP};
use propusk_domain::{Cause, Fault, Refusal, Result};
use propusk_protocol::ErrorCode;
use propusk_protocol::form;
use propusk_protocol::logout_token::LOGOUT_TOKEN_TYP;
use ureq::http::Request;

/// Delivers logout tokens.
pub(super) struct Logouts {
    state: AppState,
    outbound: Outbound,
}

impl Logouts {
    pub(super) fn new(state: AppState, outbound: Outbound) -> Self {
        Self { state, outbound }
    }

    /// The request, with a token made for this attempt: it lives two minutes.
    fn request(&self, client: &Client, uri: &str, logout: &Logout) -> Result<Request<Vec<u8>>, Fault> {
        let now = self.state.now();
        let claims = claims(logout, &self.state.policy, token(&self.state.rng, 16), now);
        let (keys, algorithm) = (self.state.keys(), client.settings.id_token_alg);
        let signer = keys.ring.signer(algorithm, now.0).ok_or_else(|| Fault::broken(format!("there is no usable {} key", algorithm.as_str())))?;
        let body = form::encode(&[("logout_token", encode(signer, LOGOUT_TOKEN_TYP, &claims)?)]);
        let request = Request::post(uri).header("content-type", "application/x-www-form-urlencoded").header("accept", "application/json");
        request.body(body.into_bytes()).map_err(Fault::broken)
    }

    /// A step of the sign-in whose session it was. The trace may lose one; the audit trail does not.
    fn trace(&self, logout: &Logout, verdict: &str, reference: Option<String>) {
        match self.state.db.read(|store| Ok(store.find_session_grant(&logout.sid, &logout.client_id)?)) {
            Ok(Some(grant)) => trace::logout_sent(&self.state, &grant, logout, verdict, reference, self.state.now()),
            Ok(None) => {}
            Err(error) => tracing::warn!(fault = %error.into_fault(), "the trace lacks a logout"),
        }
    }

    /// Makes the failure one that `propusk explain` knows; its reference.
    fn report(&self, logout: &Logout, uri: &str, message: &Message, failure: &str) -> String {
        let refusal = Refusal::new(ErrorCode::TemporarilyUnavailable, "The client was not told of the logout", Cause::LogoutNotDelivered)
            .client(&logout.client_id)
            .expected(format!("200 or 204 from {uri}"))
            .received(failure)
            .fix(format!("propusk outbox retry {}", message.id));
        self.state.report("backchannel_logout", refusal.into(), self.state.now()).reference
    }

    fn record(&self, logout: &Logout, detail: &str) -> Result<()> {
        let (logout, detail) = (logout.clone(), format!("{}: {detail}", logout.sid));
        write(&self.state, move |cx| Ok(cx.audit(Audit::of(AUDIT).sub(&logout.sub).client(&logout.client_id).detail(detail.clone()))?))
    }
}

impl Courier for Logouts {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::BackchannelLogout]
    }

    fn deliver(&mut self, message: &Message) -> Result<Outcome> {
        let logout: Logout = message.read()?;
        let client = self.state.db.read(|store| Ok(store.find_client(&logout.client_id)?))?.filter(hears_logouts);
        let Some((client, uri)) = client.and_then(|client| Some((client.clone(), client.settings.backchannel_logout_uri?))) else {
            return Ok(Outcome::Done);
        };
        let outcome = match self.outbound.send(self.request(&client, &uri, &logout)?) {
            Ok(answer) => judge(&answer),
            Err(unanswered) => Outcome::Later { failure: unanswered.to_string(), after: None },
        };
        match &outcome {
            Outcome::Done => {
                self.trace(&logout, DELIVERED, None);
                self.record(&logout, "delivered")?;
            }
            // The first failure is told; the row itself says what the latest was.
            Outcome::Later { failure, .. } | Outcome::Refused { failure } if message.attempts == 1 => {
                self.trace(&logout, FAILED, Some(self.report(&logout, &uri, message, failure)));
                self.record(&logout, &format!("failed, is tried again: {failure}"))?;
            }
            Outcome::Later { .. } | Outcome::Refused { .. } => {}
        }
        Ok(outcome)
    }

    fn given_up(&mut self, message: &Message) {
        let recorded = message.read::<Logout>().map_err(Into::into).and_then(|logout| {
            self.trace(&logout, GIVEN_UP, None);
            self.record(&logout, "given up")
        });
        if let Err(error) = recorded {
            tracing::warn!(fault = %error.into_fault(), "the audit trail lacks a logout that was given up");
        }
    }
}

/// §2.8: 200 is success, and 204 is what frameworks make of an empty one; 400 says that the token was not accepted.
fn judge(answer: &Answer) -> Outcome {
    match answer.status {
        200 | 204 => Outcome::Done,
        408 | 425 | 429 | 500.. => Outcome::Later {
            failure: format!("answered {}", answer.status),
            after: answer.header("retry-after").and_then(|text| text.trim().parse().ok()),
        },
        300..400 => Outcome::Refused { failure: format!("answered {}: redirects are not followed, register the final address", answer.status) },
        status => Outcome::Refused { failure: format!("answered {status}{}", told(answer)) },
    }
}

/// What the answer says of its reason (`error`, RFC 6749 §5.2).
fn told(answer: &Answer) -> String {
    let text = |name: &str| answer.json().and_then(|body| Some(body.get(name)?.as_str()?.to_owned()));
    match (text("error"), text("error_description")) {
        (Some(error), Some(description)) => format!(": {error} ({description})"),
        (Some(error), None) => format!(": {error}"),
        _ => String::new(),
    }
}
