//! Every route on one port: Socket.IO, REST and the page, with the origins and addresses that may use them.

use crate::{
    api::error::{ApiError, MAX_BODY},
    app::Shared,
    config::Config,
    http::{
        connection::Peer,
        page, rest,
        transports::{observe, query_parameter},
    },
    socket::handshake,
};
use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::header,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use socketioxide::{ParserConfig, SocketIo};
use std::time::Duration;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

/// The path of Socket.IO.
const SOCKET_IO: &str = "/socket.io";

/// Everything that clients use.
pub(crate) fn router(app: &Shared) -> (Router, SocketIo) {
    let limited = middleware::from_fn_with_state(app.clone(), check_address);
    let api = page::behind(rest::routes(app.clone()).layer(limited), app.config.web_dir.as_deref());
    let (engine, io) = SocketIo::builder()
        .ping_interval(app.config.ping_interval)
        .ping_timeout(app.config.ping_timeout)
        .max_payload(MAX_BODY as u64)
        .ws_max_message_size(MAX_BODY)
        .ws_max_frame_size(MAX_BODY)
        // 29.7 kB an idle socket with the default, 26.6 kB with this.
        .ws_read_buffer_size(1024)
        // No client sends binary data; what comes all the same is held to the size of a frame.
        .with_parser(ParserConfig::common().max_incoming_binary_buf_size(MAX_BODY).max_incoming_binaries(1))
        .build_with_inner_svc(api);
    handshake::register(&io, app);
    app.closer.set_engine(engine.clone());
    let router = Router::new()
        // As one service: as a layer there would be an engine for each route, each with sockets of its own.
        .fallback_service(engine)
        .layer(middleware::from_fn_with_state(app.transports.clone(), observe))
        .layer(middleware::from_fn_with_state(app.clone(), admit_socket))
        .layer(middleware::from_fn_with_state(app.clone(), check_origin))
        // Outermost, so that errors, polling and preflights have its headers too.
        .layer(cors(&app.config));
    (router, io)
}

/// By default any origin is reflected, with credentials: the polling client needs both, and no cookie carries authority
/// here.
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
        .max_age(Duration::from_secs(3600))
}

/// CORS does not hold for WebSocket: a configured list is enforced here.
async fn check_origin(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let origins = &app.config.allowed_origins.0;
    match request.headers().get(header::ORIGIN) {
        Some(origin) if !origins.is_empty() && !origins.contains(origin) => ApiError::ForeignOrigin.into_response(),
        _ => next.run(request).await,
    }
}

/// A draining gateway admits no new socket: the client's next attempt finds another one.
async fn admit_socket(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let rest = request.uri().path().strip_prefix(SOCKET_IO);
    let is_socket_io = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let known = request.uri().query().is_some_and(|query| query_parameter(query, "sid").is_some());
    if !is_socket_io || known {
        return next.run(request).await;
    }
    if app.draining.is_cancelled() {
        return ([(header::CONNECTION, "close")], ApiError::Unavailable).into_response();
    }
    check_address(State(app), request, next).await
}

/// A new socket, and a REST request, count for the address that they come from.
async fn check_address(State(app): State<Shared>, request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<Peer>>() {
        let address = app.config.trusted_proxies.client_ip(peer.address, request.headers());
        if let Err(rejection) = app.rate_limits.check_address(address) {
            return rejection.into_response();
        }
    }
    next.run(request).await
}
