//! Judging our own access tokens, for userinfo, introspection and revocation: first what the token says, then whether
//! everything it hangs on still lives.

use crate::cause::Cause;
use crate::client::Client;
use crate::error::{Refusal, shape};
use crate::grant::Grant;
use crate::policy::Policy;
use crate::time::UnixTime;
use crate::token::issue::grant_of;
use crate::user::User;
use propusk_crypto::{JwtError, KeyRing, UnverifiedJwt};
use propusk_protocol::{AccessTokenClaims, ErrorCode};

/// The one sentence for every dead token.
const DEAD: &str = "The access token is not valid";

/// How the operator mends what came damaged.
const WHOLE: &str = "send the access token exactly as the token endpoint gave it";

/// How the operator mends a token of another server.
const ELSEWHERE: &str = "use the token at the server that issued it: compare the addresses in the application's settings";

/// How the operator mends differing clocks.
const CLOCKS: &str = "synchronise the clocks of the machines (timedatectl set-ntp true)";

/// How late a token may be before its expiry looks like anything but a difference of clocks, in seconds.
const SKEW: i64 = 30;

/// Checks form, key, signature, type, issuer and times; what remains to be asked is whether its grant lives.
/// A refusal with [`Cause::TokenUnknownKey`] is worth another try after the keys have been read again.
pub fn verify(token: &str, ring: &KeyRing, policy: &Policy, now: UnixTime) -> Result<AccessTokenClaims, Refusal> {
    let unverified = UnverifiedJwt::parse(token).map_err(|error| {
        let received = format!("{} ({})", shape(token), error.slug());
        refuse(cause_of(error)).expected("an access token of this server: a JWT").received(received).fix(WHOLE)
    })?;
    if !unverified.header.is_typ("at+jwt") {
        let received = unverified.header.typ.clone().unwrap_or_else(|| "none".to_owned());
        return Err(refuse(Cause::TokenWrongType).expected("typ at+jwt").received(format!("typ {received}")).fix("send access_token, not id_token"));
    }
    let kid = unverified.header.kid.clone().unwrap_or_default();
    let claims: AccessTokenClaims = ring.verify(&unverified).map_err(|error| match cause_of(error) {
        Cause::TokenUnknownKey => refuse(Cause::TokenUnknownKey).expected("the kid of a published key").received(&kid).fix(ELSEWHERE),
        cause => refuse(cause).expected("a token signed by this server").received(error.slug()).fix(WHOLE).fix(ELSEWHERE),
    })?;
    let refuse = |cause| refuse(cause).client(&claims.client_id).grant(grant_id(&claims));
    if claims.iss != policy.issuer {
        return Err(refuse(Cause::TokenWrongIssuer)
            .expected(&*policy.issuer)
            .received(&claims.iss)
            .fix(ELSEWHERE)
            .fix("never change the setting issuer of a running service"));
    }
    let late = now.0 - claims.exp;
    if late >= 0 {
        let cause = if late <= SKEW { Cause::ClockSkew } else { Cause::TokenExpired };
        let refusal = refuse(cause)
            .expected(format!("a token that lives at {now}"))
            .received(format!("expired at {}, {late} s ago", UnixTime(claims.exp)))
            .fix("get a new token: refresh, or sign in again");
        return Err(if cause == Cause::ClockSkew { refusal.fix(CLOCKS) } else { refusal });
    }
    if claims.iat > now.0 + policy.clock_leeway {
        return Err(refuse(Cause::TokenNotYetValid)
            .expected(format!("issued at {now} or before"))
            .received(format!("issued at {}, {} s ahead", UnixTime(claims.iat), claims.iat - now.0))
            .fix(CLOCKS));
    }
    Ok(claims)
}

fn refuse(cause: Cause) -> Refusal {
    Refusal::new(ErrorCode::InvalidToken, DEAD, cause)
}

const fn cause_of(error: JwtError) -> Cause {
    match error {
        JwtError::Malformed | JwtError::TooLong | JwtError::BadClaims => Cause::TokenMalformed,
        JwtError::AlgNotAllowed => Cause::TokenAlgorithm,
        JwtError::UnknownKey => Cause::TokenUnknownKey,
        JwtError::BadSignature => Cause::TokenBadSignature,
    }
}

/// What a token hangs on, as it is now.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Its client.
    pub client: Option<&'a Client>,
    /// Its grant.
    pub grant: Option<&'a Grant>,
    /// Its person; `None` for a client's own token.
    pub user: Option<&'a User>,
    /// Whether this one token is on the deny list.
    pub denied: bool,
}

/// Refuses a token whose client, grant or person is gone (userinfo tells what is true *now*).
pub fn must_stand(claims: &AccessTokenClaims, standing: &Standing<'_>, now: UnixTime) -> Result<(), Refusal> {
    let refuse = |cause| refuse(cause).client(&claims.client_id);
    let removed = || refuse(Cause::UnknownClient).expected("a registered client").received("a client that was removed");
    let client = standing.client.ok_or_else(removed)?;
    if client.disabled {
        let fix = format!("propusk client set {} --enable", client.client_id);
        return Err(refuse(Cause::DisabledClient).expected("an enabled client").received("disabled").fix(fix).fix("then sign in again"));
    }
    let grant = standing.grant.filter(|grant| grant.client_id == claims.client_id);
    let grant =
        grant.ok_or_else(|| refuse(Cause::TokenRevoked).expected("a live grant").received("a grant that was removed").fix("sign in again"))?;
    // The person is asked first: a disabled account explains its revoked grants.
    if grant.sub.is_some() {
        match standing.user {
            None => return Err(refuse(Cause::TokenUserDisabled).expected("an active account").received("a removed account")),
            Some(user) if !user.is_active() => {
                return Err(refuse(Cause::TokenUserDisabled)
                    .expected("an active account")
                    .received("a disabled account")
                    .fix(format!("propusk user enable {}", user.username))
                    .fix("then sign in again"));
            }
            Some(_) => {}
        }
    }
    if standing.denied || !grant.is_alive(now) {
        let received = grant.revoked_at.map_or_else(|| "a revoked token".to_owned(), |at| format!("revoked at {at}"));
        return Err(refuse(Cause::TokenRevoked).expected("a live grant").received(received).fix("sign in again"));
    }
    Ok(())
}

/// The grant that an access token names.
pub fn grant_id(claims: &AccessTokenClaims) -> &str {
    grant_of(&claims.jti).unwrap_or_default()
}
