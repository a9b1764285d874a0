//! The HTTP side as a whole: REST, Socket.IO and the page on one port, with the origins that may
//! use them.

use crate::{
    config::Config,
    connection::{Doors, Peer, asks, upgrade},
    error::{ApiError, MAX_BODY},
    rest, socket,
    state::Shared,
};
use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use socketioxide::{ParserConfig, SocketIo, service::SocketIoService};
use std::{path::Path, sync::Arc};
use tower_http::{
    cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer},
    services::ServeDir,
    set_header::SetResponseHeaderLayer,
};

/// Where sockets are asked for.
const SOCKETS: &str = "/socket.io";

/// Nothing but what this server itself sends, and sockets back to it.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; \
     font-src 'self'; connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// Socket.IO, with the API and the page behind it.
pub(crate) type Sockets = SocketIoService<Router>;

/// Everything that people's clients use, and what closes their connections.
pub(crate) fn router(app: &Shared) -> (Router, SocketIo, Doors) {
    let limited = middleware::from_fn_with_state(app.clone(), admit);
    let api = page(rest::routes(app.clone()).layer(limited), app.config.web_dir.as_deref());
    let (sockets, io) = SocketIo::builder()
        .ping_interval(app.config.ping_interval)
        .ping_timeout(app.config.ping_timeout)
        .max_payload(MAX_BODY as u64)
        .ws_max_message_size(MAX_BODY)
        .ws_max_frame_size(MAX_BODY)
        // 29.7 kB an idle socket with the default, 26.6 kB with this.
        .ws_read_buffer_size(1024)
        // Nobody sends binary data here; what comes all the same is held to the size of a frame.
        .with_parser(ParserConfig::common().max_incoming_binary_buf_size(MAX_BODY).max_incoming_binaries(1))
        .build_with_inner_svc(api);
    socket::serve(&io, app);
    let doors = Doors { upgrades: Arc::default(), sockets: sockets.clone() };
    let router = Router::new()
        // As one service: as a layer it would be made anew for each route, each with sockets of its own.
        .fallback_service(sockets)
        .layer(middleware::from_fn_with_state(doors.upgrades.clone(), upgrade))
        .layer(middleware::from_fn_with_state(app.clone(), handshake))
        .layer(middleware::from_fn_with_state(app.clone(), known_origin))
        // Outermost, so that errors, polling and preflights have its headers too.
        .layer(cors(&app.config));
    (router, io, doors)
}

fn page(api: Router, folder: Option<&Path>) -> Router {
    let Some(folder) = folder else { return api.fallback(async || ApiError::NotFound) };
    let nothing = tower::service_fn(async |_request: Request| Ok(ApiError::NotFound.into_response()));
    let files = ServeDir::new(folder)
        .precompressed_br()
        .precompressed_gzip()
        .call_fallback_on_method_not_allowed(true)
        .fallback(nothing);
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

/// Files with a hash in their name never change; all others are asked for again.
async fn cache(request: Request, next: Next) -> Response {
    let hashed = request.uri().path().starts_with("/assets/");
    let mut response = next.run(request).await;
    if response.status().is_success() {
        let value = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
    }
    response
}

/// By default any origin is reflected, with credentials: the polling client needs both, and no
/// cookie carries authority here.
fn cors(config: &Config) -> CorsLayer {
    let origins = match config.allowed_origins.0.as_slice() {
        [] => AllowOrigin::mirror_request(),
        origins => AllowOrigin::list(origins.iter().cloned()),
    };
    CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(true)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER])
        .max_age(std::time::Duration::from_secs(3600))
}

/// CORS does not hold for WebSocket: a configured list is enforced here.
async fn known_origin(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let origins = &app.config.allowed_origins.0;
    match request.headers().get(header::ORIGIN) {
        Some(origin) if !origins.is_empty() && !origins.contains(origin) => ApiError::ForeignOrigin.into_response(),
        _ => next.run(request).await,
    }
}

/// A draining gateway lets nobody new in; whoever asks again finds another one.
async fn handshake(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let rest = request.uri().path().strip_prefix(SOCKETS);
    if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return next.run(request).await;
    }
    if asks(&request, "sid").is_none() {
        if app.draining.is_cancelled() {
            return ([(header::CONNECTION, "close")], ApiError::Unavailable).into_response();
        }
        return admit(State(app), request, next).await;
    }
    next.run(request).await
}

/// A new connection, and what is asked for by REST, count for the address that they come from.
async fn admit(State(app): State<Shared>, request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<Peer>>() {
        let address = app.config.trusted_proxies.origin(peer.address, request.headers());
        if let Err(refusal) = app.limits.admit(address) {
            return refusal.into_response();
        }
    }
    next.run(request).await
}
