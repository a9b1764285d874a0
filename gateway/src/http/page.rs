//! The page: static files with their headers, behind the API.

use crate::api::error::ApiError;
use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use std::path::Path;
use tower_http::{services::ServeDir, set_header::SetResponseHeaderLayer};

/// Nothing but what this server itself sends, and sockets back to it.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; \
     font-src 'self'; connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// The API, with the files of a folder behind it; without one, everything else is not found.
pub(crate) fn behind(api: Router, folder: Option<&Path>) -> Router {
    let Some(folder) = folder else { return api.fallback(async || ApiError::NotFound) };
    let not_found = tower::service_fn(async |_request: Request| Ok(ApiError::NotFound.into_response()));
    let files = ServeDir::new(folder)
        .precompressed_br()
        .precompressed_gzip()
        .call_fallback_on_method_not_allowed(true)
        .fallback(not_found);
    let header = SetResponseHeaderLayer::if_not_present;
    api.merge(
        Router::new()
            .fallback_service(files)
            .layer(header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
            .layer(header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
            .layer(header(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")))
            .layer(middleware::from_fn(cache)),
    )
}

/// Files with a hash in their name never change; all others are revalidated.
async fn cache(request: Request, next: Next) -> Response {
    let hashed = request.uri().path().starts_with("/assets/");
    let mut response = next.run(request).await;
    if response.status().is_success() {
        let value = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
    }
    response
}
