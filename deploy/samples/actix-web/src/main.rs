//! An API that takes Propusk's access tokens: actix-web and jsonwebtoken, no shared secret.
//!
//! ```sh
//! ISSUER=https://id.example.org AUDIENCE=https://api.example.org cargo run
//! ```
//!
//! Anyone reads, whoever has the scope `posts.write` posts. What is refused says why in `WWW-Authenticate` (RFC 6750 §3).
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program of its own, with settings of its own")]

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{App, FromRequest, HttpRequest, HttpResponse, HttpServer, ResponseError, get, post, web};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An unknown key id makes the API look for new keys at most so often.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Tolerated difference between the clocks, in seconds.
const LEEWAY: u64 = 10;

#[derive(Debug, Clone, Serialize)]
struct Post {
    id: usize,
    text: String,
    by: String,
}

#[derive(Debug, Deserialize)]
struct NewPost {
    text: String,
}

#[get("/posts")]
async fn read(posts: web::Data<Mutex<Vec<Post>>>) -> HttpResponse {
    HttpResponse::Ok().json(&*posts.lock().unwrap_or_else(PoisonError::into_inner))
}

#[get("/me")]
async fn me(caller: Caller) -> HttpResponse {
    HttpResponse::Ok().json(caller)
}

#[post("/posts")]
async fn write(caller: Caller, new: web::Json<NewPost>, posts: web::Data<Mutex<Vec<Post>>>) -> Result<HttpResponse, Refused> {
    caller.needs("posts.write")?;
    let mut posts = posts.lock().unwrap_or_else(PoisonError::into_inner);
    let post = Post { id: posts.len() + 1, text: new.into_inner().text, by: caller.sub };
    posts.push(post.clone());
    Ok(HttpResponse::Created().json(post))
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let setting = |name: &str| std::env::var(name).ok();
    let issuer = setting("ISSUER").ok_or_else(|| std::io::Error::other("ISSUER is not set"))?;
    // Give the API an audience of its own: propusk client set ID --audience https://api.example.org
    let audience = setting("AUDIENCE").unwrap_or_else(|| issuer.clone());
    let port: u16 = setting("PORT").and_then(|port| port.parse().ok()).unwrap_or(3000);
    let keys = web::Data::new(Keys { issuer, audience, known: Mutex::default() });
    let posts = web::Data::new(Mutex::new(vec![Post { id: 1, text: "Hello".into(), by: "nobody".into() }]));
    let app = move || App::new().app_data(keys.clone()).app_data(posts.clone()).service(read).service(me).service(write);
    let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", port))?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    server.run().await
}

/// Who calls. Asking for it is what protects an endpoint.
#[derive(Debug, Serialize, Deserialize)]
struct Caller {
    sub: String,
    client_id: String,
    #[serde(default)]
    scope: String,
}

impl Caller {
    /// The token's scope has to hold this word.
    fn needs(&self, wanted: &'static str) -> Result<(), Refused> {
        if self.scope.split(' ').any(|scope| scope == wanted) { Ok(()) } else { Err(Refused::Scope(wanted)) }
    }
}

impl FromRequest for Caller {
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refused>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = bearer(request).map(str::to_owned);
        let keys = request.app_data::<web::Data<Keys>>().cloned();
        Box::pin(async move {
            let token = token.ok_or(Refused::NoToken)?;
            let keys = keys.ok_or(Refused::Outage)?;
            // Keys may have to be fetched, which must not hold up the other requests.
            web::block(move || keys.check(&token)).await.map_err(|_| Refused::Outage)?
        })
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The service's published keys.
struct Keys {
    issuer: String,
    audience: String,
    known: Mutex<Option<(JwkSet, Instant)>>,
}

impl Keys {
    /// The claims of a token that is meant for this API and valid now.
    fn check(&self, token: &str) -> Result<Caller, Refused> {
        // "none" and whatever else is no algorithm do not parse.
        let header = decode_header(token).map_err(|_| Refused::Token)?;
        // An ID token is no access token (RFC 9068 §4), and no shared secret signs one.
        let typed = header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt"));
        if !typed || !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA) {
            return Err(Refused::Token);
        }
        let jwk = self.key(&header.kid.ok_or(Refused::Token)?)?;
        let key = DecodingKey::from_jwk(&jwk).map_err(|_| Refused::Token)?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = LEEWAY;
        decode(token, &key, &validation).map(|decoded| decoded.claims).map_err(|_| Refused::Token)
    }

    fn key(&self, kid: &str) -> Result<Jwk, Refused> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((set, fetched)) = &*known {
            if let Some(jwk) = set.find(kid) {
                return Ok(jwk.clone());
            }
            if fetched.elapsed() < LOOK_AGAIN {
                return Err(Refused::Token);
            }
        }
        let set = self.fetch()?;
        let jwk = set.find(kid).cloned().ok_or(Refused::Token);
        *known = Some((set, Instant::now()));
        jwk
    }

    fn fetch(&self) -> Result<JwkSet, Refused> {
        let url = format!("{}/oauth/jwks", self.issuer);
        let mut answer = ureq::get(url).config().timeout_global(Some(Duration::from_secs(5))).build().call().map_err(|_| Refused::Outage)?;
        answer.body_mut().read_json().map_err(|_| Refused::Outage)
    }
}

/// Why a request is refused.
#[derive(Debug)]
enum Refused {
    NoToken,
    Token,
    Scope(&'static str),
    /// The keys cannot be had: not the caller's mistake.
    Outage,
}

impl Refused {
    const fn code(&self) -> &'static str {
        match self {
            Self::NoToken => "unauthorized",
            Self::Token => "invalid_token",
            Self::Scope(_) => "insufficient_scope",
            Self::Outage => "temporarily_unavailable",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::Token => StatusCode::UNAUTHORIZED,
            Self::Scope(_) => StatusCode::FORBIDDEN,
            Self::Outage => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::NoToken => response.insert_header((header::WWW_AUTHENTICATE, "Bearer")),
            Self::Token => response.insert_header((header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")),
            Self::Scope(scope) => {
                response.insert_header((header::WWW_AUTHENTICATE, format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")))
            }
            Self::Outage => &mut response,
        };
        response.json(json!({ "error": self.code() }))
    }
}
