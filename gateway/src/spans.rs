//! Where a trace begins and ends: a span for each request and each event of a socket, and one for
//! each event that the bus tells. What strangers choose themselves (paths, names of events, headers)
//! is in none of them.

use crate::{
    names::Said,
    numbers,
    session::{Session, Who},
};
use axum::{extract::Request, http::Method, middleware::Next, response::Response};
use proto::{UserId, context};
use strum::VariantNames as _;
use tracing::{Instrument as _, Span, debug_span, field::Empty};

/// A request for one of our routes.
pub(crate) async fn request(request: Request, next: Next) -> Response {
    metrics::counter!(numbers::REQUESTS, "via" => "rest").increment(1);
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

impl Session {
    /// Something that the client says.
    pub(crate) fn span_of(&self, event: &str) -> Span {
        let event = Said::VARIANTS.iter().copied().find(|known| *known == event).unwrap_or("unknown");
        debug_span!(
            "event",
            otel.name = event,
            otel.kind = "server",
            error.r#type = Empty,
            user.id = self.who.as_ref().map(|who| tracing::field::display(who.user)),
        )
    }
}

/// Something that the bus tells: a part of the trace of whatever caused it.
pub(crate) fn told(who: Option<&Who>, event: &async_nats::Message) -> Span {
    let span = debug_span!(
        "told",
        otel.kind = "consumer",
        bus.subject = %event.subject,
        user.id = who.map(|who| tracing::field::display(who.user)),
        message.id = Empty,
    );
    context::follow(&span, event.headers.as_ref());
    span
}

/// The request in hand is this user's.
pub(crate) fn note_user(user: UserId) {
    Span::current().record("user.id", tracing::field::display(user));
}

/// What is in hand was refused, for the reason with this code.
pub(crate) fn note_refusal(code: &'static str) {
    Span::current().record("error.type", code);
}
