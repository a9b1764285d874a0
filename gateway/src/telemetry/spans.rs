//! The spans of traces: one for each request, each event of a client, and each notification of the bus. Nothing that
//! strangers choose themselves (paths, event names, headers) is in any of them.

use crate::telemetry::metrics::REQUESTS;
use axum::{extract::Request, http::Method, middleware::Next, response::Response};
use proto::{UserId, trace_context};
use tracing::{Instrument as _, Span, debug_span, field::Empty};

/// A request for one of the REST routes.
pub(crate) async fn request(request: Request, next: Next) -> Response {
    metrics::counter!(REQUESTS, "via" => "rest").increment(1);
    let (method, route) = (known(request.method()), request.uri().path());
    let span = debug_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        error.r#type = Empty,
        user.id = Empty,
    );
    async {
        let response = next.run(request).await;
        Span::current().record("http.response.status_code", response.status().as_u16());
        response
    }
    .instrument(span)
    .await
}

fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "_OTHER",
    }
}

/// An event of a client; `name` is one that the API has.
pub(crate) fn client_event(name: Option<&'static str>, user: Option<UserId>) -> Span {
    debug_span!(
        "event",
        otel.name = name.unwrap_or("unknown"),
        otel.kind = "server",
        error.r#type = Empty,
        user.id = user.map(tracing::field::display),
    )
}

/// A notification: part of the trace of the command that caused it.
pub(crate) fn notification(user: Option<UserId>, message: &async_nats::Message) -> Span {
    let span = debug_span!(
        "notification",
        otel.kind = "consumer",
        bus.subject = %message.subject,
        user.id = user.map(tracing::field::display),
        message.id = Empty,
    );
    trace_context::follow(&span, message.headers.as_ref());
    span
}

/// Records whose request the current span is.
pub(crate) fn record_user(user: UserId) {
    Span::current().record("user.id", tracing::field::display(user));
}

/// Records the error code of a rejected request in the current span.
pub(crate) fn record_error(code: &'static str) {
    Span::current().record("error.type", code);
}
