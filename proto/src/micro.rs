//! Services as NATS micro services: `nats micro ls`, or a request on `$SRV.PING`, `$SRV.INFO` or
//! `$SRV.STATS`, finds every process with its id, its endpoints, and how many questions it
//! answered and how many it could not.

use crate::{bus::Bus, context, ids::ProcessId};
use async_nats::service::{Request, ServiceBuilder, ServiceExt as _, error::Error};
use serde::Serialize;
use std::collections::HashMap;
use tracing::{Span, debug_span};

/// The key of a process' id in its metadata.
pub const ID: &str = "id";

/// A service that is about to be discoverable, with its process' id among the metadata.
#[must_use]
pub fn service(bus: &Bus, id: &ProcessId, description: &str) -> ServiceBuilder {
    let metadata = HashMap::from([(ID.to_owned(), id.to_string())]);
    bus.client.service_builder().description(description).metadata(metadata)
}

/// The span of a question, in the trace of whoever asks it.
#[must_use]
pub fn span(question: &Request) -> Span {
    let message = &question.message;
    let span = debug_span!("question", otel.kind = "server", bus.subject = %message.subject);
    context::follow(&span, message.headers.as_ref());
    span
}

/// Answers a question. A failure is logged, counted by the service's statistics, and told to
/// whoever asked without its reason.
pub async fn answer<T: Serialize>(question: &Request, answer: anyhow::Result<T>) {
    let subject = &question.message.subject;
    let answer = answer.and_then(|answer| Ok(serde_json::to_vec(&answer)?));
    let answer = answer.map(Into::into).map_err(|error| {
        tracing::warn!(bus.subject = %subject, "a question was not answered: {error:#}");
        Error { code: 503, status: "not now".to_owned() }
    });
    if let Err(error) = question.respond_with_headers(answer, context::headers().unwrap_or_default()).await {
        tracing::warn!(bus.subject = %subject, %error, "an answer was not sent");
    }
}
