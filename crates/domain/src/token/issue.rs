//! The only place where tokens are minted. The claims are put together inside the transaction, the signatures are made
//! after it.

use crate::client::RegisteredClient;
use crate::context::Cx;
use crate::error::{Fault, Result};
use crate::grant::Grant;
use crate::user::User;
use propusk_crypto::jwt::{ACCESS_TOKEN_TYP, ID_TOKEN_TYP, encode, half_hash};
use propusk_crypto::random::token;
use propusk_crypto::{Algorithm, KeyRing};
use propusk_protocol::{AccessTokenClaims, IdTokenClaims, Scope, TokenResponse};

/// The one authentication context that a password gives (OIDC Core §2 `acr`).
pub const ACR_PASSWORD: &str = "urn:propusk:acr:password";

/// Tokens that are decided but not signed yet.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The access token's claims (RFC 9068 §2.2).
    pub access: AccessTokenClaims,
    access_alg: Algorithm,
    id: Option<IdTokenClaims>,
    id_alg: Algorithm,
    refresh_token: Option<String>,
    lifetime: i64,
}

/// The tokens of a person's grant, in `scope` (the grant's or less).
pub fn for_grant(cx: &Cx<'_>, client: &RegisteredClient, grant: &Grant, user: &User, scope: &Scope, refresh_token: Option<String>) -> Issued {
    let settings = &client.client.settings;
    let mapped = client.role_map.claims_of(&user.role);
    let issuer = &cx.policy.issuer;
    // A token never outlives its grant.
    let lifetime = grant.expires_at.map_or(settings.access_token_lifetime, |end| end.since(cx.now).min(settings.access_token_lifetime));
    let id = scope.contains("openid").then(|| IdTokenClaims {
        iss: issuer.clone(),
        sub: user.sub.clone(),
        aud: client.id().to_owned(),
        exp: cx.now.0 + lifetime,
        iat: cx.now.0,
        auth_time: grant.auth_time.map(|at| at.0),
        nonce: grant.nonce.clone(),
        acr: Some(ACR_PASSWORD.to_owned()),
        amr: grant.amr.clone(),
        at_hash: None,
        sid: grant.sid.clone(),
    });
    Issued {
        access: AccessTokenClaims {
            iss: issuer.clone(),
            sub: user.sub.clone(),
            aud: settings.audience.clone().unwrap_or_else(|| issuer.clone()),
            client_id: client.id().to_owned(),
            exp: cx.now.0 + lifetime,
            iat: cx.now.0,
            jti: token_id(&grant.id, cx.rng),
            scope: scope.clone(),
            auth_time: grant.auth_time.map(|at| at.0),
            sid: grant.sid.clone(),
            roles: mapped.roles,
            groups: mapped.groups,
            token_type: None,
            user_id: None,
        },
        access_alg: settings.access_token_alg,
        id,
        id_alg: settings.id_token_alg,
        refresh_token,
        lifetime,
    }
}

/// A token of the client's own (RFC 6749 §4.4): its subject is the client.
pub fn for_client(client: &RegisteredClient, scope: &Scope, issuer: &str, rng: &dyn propusk_crypto::Random, now: crate::UnixTime) -> Issued {
    let settings = &client.client.settings;
    Issued {
        access: AccessTokenClaims {
            iss: issuer.to_owned(),
            sub: client.id().to_owned(),
            aud: settings.audience.clone().unwrap_or_else(|| issuer.to_owned()),
            client_id: client.id().to_owned(),
            exp: now.0 + settings.access_token_lifetime,
            iat: now.0,
            jti: token_id(&client.client.standing_grant_id, rng),
            scope: scope.clone(),
            auth_time: None,
            sid: None,
            roles: None,
            groups: None,
            token_type: None,
            user_id: None,
        },
        access_alg: settings.access_token_alg,
        id: None,
        id_alg: settings.id_token_alg,
        refresh_token: None,
        lifetime: settings.access_token_lifetime,
    }
}

/// `jti`: the grant's identifier, by which the token is found dead or alive, and 96 random bits.
fn token_id(grant_id: &str, rng: &dyn propusk_crypto::Random) -> String {
    format!("{grant_id}.{}", token(rng, 12))
}

/// The grant that a `jti` hangs on.
pub fn grant_of(jti: &str) -> Option<&str> {
    jti.split_once('.').map(|(grant_id, _)| grant_id)
}

impl Issued {
    /// Signs the tokens: milliseconds of CPU with RSA, so never inside a transaction.
    pub fn sign(self, ring: &KeyRing) -> Result<TokenResponse, Fault> {
        let now = self.access.iat;
        let signer =
            |algorithm: Algorithm| ring.signer(algorithm, now).ok_or_else(|| Fault::broken(format!("there is no usable {} key", algorithm.as_str())));
        let access_token = encode(signer(self.access_alg)?, ACCESS_TOKEN_TYP, &self.access)?;
        let id_token = match self.id {
            Some(mut claims) => {
                claims.at_hash = Some(half_hash(self.id_alg, &access_token));
                Some(encode(signer(self.id_alg)?, ID_TOKEN_TYP, &claims)?)
            }
            None => None,
        };
        Ok(TokenResponse {
            access_token,
            token_type: "Bearer",
            expires_in: self.lifetime.max(0).cast_unsigned(),
            refresh_token: self.refresh_token,
            id_token,
            // An empty string is no scope (RFC 6749 §3.3); a client that may ask for none gets none told.
            scope: Some(self.access.scope).filter(|scope| !scope.is_empty()),
        })
    }
}
