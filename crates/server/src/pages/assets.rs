//! The files that pages load: compiled in, found by name, kept by browsers as long as their hash stands in the URL.

use super::brand::Asset;
use crate::state::AppState;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};

/// `GET /assets/{name}`.
pub async fn get(state: Data<AppState>, request: HttpRequest, path: Path<String>) -> HttpResponse {
    let name = path.into_inner();
    if name == "brand.css" {
        return serve(&request, state.brand.version(), "text/css; charset=utf-8", state.brand_css.clone());
    }
    match Asset::named(&name) {
        Some(asset) => serve(&request, &asset.version(), asset.content_type, Bytes::from_static(asset.body.as_bytes())),
        None => crate::endpoints::unknown::path(state, request).await,
    }
}

fn serve(request: &HttpRequest, version: &str, content_type: &'static str, body: Bytes) -> HttpResponse {
    let etag = format!("\"{version}\"");
    let versioned = request.query_string() == format!("v={version}");
    let control = if versioned { "public, max-age=31536000, immutable" } else { "public, max-age=3600" };
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let unchanged = known == Some(etag.as_str());
    let mut builder = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    builder.insert_header((CACHE_CONTROL, HeaderValue::from_static(control))).insert_header((ETAG, etag));
    if unchanged {
        return builder.finish();
    }
    builder.insert_header((CONTENT_TYPE, HeaderValue::from_static(content_type))).body(body)
}
