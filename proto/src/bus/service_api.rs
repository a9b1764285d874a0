//! NATS micro services: `nats micro ls`, or a request on `$SRV.PING`, `$SRV.INFO` or `$SRV.STATS`, finds every process
//! with its id, its endpoints, and how many requests it replied to and how many failed.

use crate::{
    bus::{client::Bus, trace_context},
    ids::ProcessId,
    timing,
};
use anyhow::Context as _;
use async_nats::{
    Subject,
    service::{Request, Service, ServiceExt as _, endpoint::Endpoint, error::Error},
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug_span};

/// The key of a process' id in its metadata.
pub const ID: &str = "id";

/// The micro service of this process.
pub struct ServiceApi {
    service: Service,
}

/// A request as an endpoint receives it.
pub struct ApiRequest {
    /// Its subject; the id is its last token.
    pub subject: Subject,
    /// Its payload.
    pub payload: Bytes,
}

/// Who this process is.
pub struct Description {
    /// The name that all its replicas share.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// One line for operators.
    pub text: &'static str,
}

impl ServiceApi {
    /// Registers the service. `stats` is what `$SRV.STATS` shows beside the usual.
    ///
    /// # Errors
    /// When NATS is unavailable.
    pub async fn start(
        bus: &Bus,
        id: &ProcessId,
        description: Description,
        stats: impl Fn() -> Value + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let metadata = HashMap::from([(ID.to_owned(), id.to_string())]);
        let builder = bus.client.service_builder().description(description.text).metadata(metadata);
        let builder = builder.stats_handler(move |_endpoint, _stats| stats());
        let service = builder.start(description.name, description.version).await;
        Ok(Self { service: service.map_err(anyhow::Error::from_boxed).context("starting the micro service")? })
    }

    /// Adds an endpoint; requests queue up until [`serve`] takes them.
    ///
    /// # Errors
    /// When NATS is unavailable.
    pub async fn endpoint(&self, name: &str, subject: &str) -> anyhow::Result<Endpoint> {
        let endpoint = self.service.endpoint_builder().name(name).add(subject).await;
        endpoint.map_err(anyhow::Error::from_boxed).with_context(|| format!("adding the endpoint {name}"))
    }

    /// Unregisters the service.
    pub async fn stop(self) {
        if let Err(error) = self.service.stop().await {
            tracing::debug!(%error, "micro service already stopped");
        }
    }
}

/// Replies to the requests of an endpoint until `shutdown`, `concurrency` at once, each within
/// [`timing::RESULT_DEADLINE`]: the requester waits no longer.
pub async fn serve<T, F>(
    endpoint: Endpoint,
    concurrency: usize,
    shutdown: &CancellationToken,
    handler: impl Fn(ApiRequest) -> F,
) where
    T: Serialize,
    F: Future<Output = anyhow::Result<T>>,
{
    let requests = endpoint.take_until(shutdown.cancelled());
    let handle = |request: Request| {
        let message = &request.message;
        let span = debug_span!("request", otel.kind = "server", bus.subject = %message.subject);
        trace_context::follow(&span, message.headers.as_ref());
        let handling = handler(ApiRequest { subject: message.subject.clone(), payload: message.payload.clone() });
        async move {
            let result = tokio::time::timeout(timing::RESULT_DEADLINE, handling).await.context("deadline exceeded");
            reply(&request, result.flatten()).await;
        }
        .instrument(span)
    };
    requests.for_each_concurrent(concurrency, handle).await;
}

/// A failure is logged, counted by the service's statistics, and sent to the requester without its reason.
async fn reply<T: Serialize>(request: &Request, result: anyhow::Result<T>) {
    let subject = &request.message.subject;
    let result = result.and_then(|reply| Ok(serde_json::to_vec(&reply)?));
    let result = result.map(Into::into).map_err(|error| {
        tracing::warn!(bus.subject = %subject, "request failed: {error:#}");
        Error { code: 503, status: "not now".to_owned() }
    });
    if let Err(error) = request.respond_with_headers(result, trace_context::headers().unwrap_or_default()).await {
        tracing::warn!(bus.subject = %subject, %error, "reply not sent");
    }
}
