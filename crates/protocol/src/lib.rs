//! The messages of OAuth 2 and OpenID Connect as types that parse or refuse. No I/O, no clock, no randomness.
//!
//! | specification | module |
//! |---|---|
//! | Form encoding and limits (RFC 6749 appendix B, §3.1) | [`form`], [`limits`] |
//! | Multipart forms (RFC 7578) | [`multipart`] |
//! | Error codes (RFC 6749 §4.1.2.1, §5.2; RFC 6750 §3.1; OpenID Connect Core §3.1.2.6) | [`error`] |
//! | Scopes (RFC 6749 §3.3) | [`scope`] |
//! | Redirect URIs (RFC 6749 §3.1.2, RFC 8252 §7, RFC 9700 §4.1) | [`redirect_uri`] |
//! | PKCE (RFC 7636) | [`pkce`] |
//! | Authorization (RFC 6749 §4.1, OpenID Connect Core §3.1.2, Form Post Response Mode, RFC 9207) | [`authorize`] |
//! | Client authentication (RFC 6749 §2.3) | [`client_auth`] |
//! | Tokens (RFC 6749 §4.1.3, §4.4, §5.1, §6) | [`token`] |
//! | Claims, ID tokens, JWT access tokens (OpenID Connect Core §2, §5; RFC 9068) | [`claims`] |
//! | Bearer tokens at UserInfo (RFC 6750 §2) | [`userinfo`] |
//! | Introspection (RFC 7662) | [`introspect`] |
//! | Revocation (RFC 7009) | [`revoke`] |
//! | Conditions of requests (RFC 9110 §13.1.1) | [`if_match`] |
//! | Logout (OpenID Connect RP-Initiated Logout) | [`end_session`] |
//! | Metadata (OpenID Connect Discovery, RFC 8414) | [`discovery`] |

pub mod authorize;
mod claim_format;
pub mod claims;
pub mod client_auth;
pub mod discovery;
mod distance;
pub mod end_session;
pub mod error;
pub mod form;
pub mod if_match;
pub mod introspect;
pub mod limits;
pub mod logout_token;
pub mod multipart;
pub mod pkce;
pub mod redirect_uri;
pub mod revoke;
pub mod scope;
pub mod token;
pub mod userinfo;

pub use authorize::{AuthorizeRequest, AuthorizeResponse, Prompt, ResponseMode, Target};
pub use claims::{AccessTokenClaims, Address, ClaimError, IdTokenClaims, StandardClaims};
pub use client_auth::{ClientAuthError, ClientCredentials};
pub use discovery::Metadata;
pub use distance::nearest_identifier;
pub use end_session::EndSessionRequest;
pub use error::{ErrorCode, Problem, ProtocolError};
pub use form::Params;
pub use if_match::IfMatch;
pub use introspect::{IntrospectionRequest, IntrospectionResponse};
pub use pkce::{CodeChallenge, CodeVerifier};
pub use redirect_uri::RedirectUriProblem;
pub use revoke::{RevocationRequest, TokenTypeHint};
pub use scope::Scope;
pub use token::{TokenRequest, TokenResponse};
pub use userinfo::{TokenSource, bearer_token};
