//! Traces: one message followed from socket to socket, through all processes. Off unless a collector
//! is named; then spans of our own crates leave by OTLP over HTTP, from a thread of the SDK's own, so
//! that nobody waits for a collector. [`crate::trace_context`] propagates them over the bus.
//!
//! A span is of the level `debug`: without a collector it costs the look whether it is enabled.
//! What is logged inside one is not exported, and carries the trace's id in the log instead.

use anyhow::{Context as _, ensure};
use clap::Args;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{SpanExporter as Otlp, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter},
};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::{Layer, filter::FilterFn, registry::LookupSpan};

/// The crates whose spans are exported: those of others may hold what people wrote.
const OURS: [&str; 4] = ["gateway", "matcher", "chat_store", "proto"];
/// How often a failing export is told of.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// How long the last spans may take at the end, if the drain has left so much.
const LAST_EXPORT: Duration = Duration::from_secs(2);

/// Where traces go. Beside these the SDK reads `OTEL_TRACES_SAMPLER` and its `_ARG`,
/// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_EXPORTER_OTLP_HEADERS`, `_TIMEOUT` and `OTEL_BSP_…`.
#[derive(Args, Clone, Debug)]
pub struct TracesConfig {
    /// The collector, for instance http://collector:4318; `/v1/traces` is appended. Without it, or the
    /// next one, there are no traces.
    #[arg(long = "otlp-endpoint", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub endpoint: Option<String>,
    /// Where the collector takes traces, as a whole; wins over the other one.
    #[arg(long = "otlp-traces-endpoint", env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")]
    pub traces_endpoint: Option<String>,
    /// What traces and logs call this service; by default what it is.
    #[arg(long, env = "OTEL_SERVICE_NAME")]
    pub service_name: Option<String>,
}

impl TracesConfig {
    /// The address that spans are posted to; none: no traces.
    fn url(&self) -> Option<String> {
        let given = |variable: &Option<String>| variable.clone().filter(|url| !url.trim().is_empty());
        let below = |url: String| format!("{}/v1/traces", url.trim_end_matches('/'));
        given(&self.traces_endpoint).or_else(|| given(&self.endpoint).map(below))
    }
}

/// The way out of this process.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Opens it, if a collector is named. Whether it is there shows with the first spans.
    ///
    /// # Errors
    /// When the address is none that can be spoken to.
    pub(crate) fn open(config: &TracesConfig, service: &str, instance: &str) -> anyhow::Result<Option<Self>> {
        let Some(url) = config.url() else { return Ok(None) };
        // Collectors stand beside the services; those speak TLS with the rest of the world.
        ensure!(url.starts_with("http://"), "the OTLP endpoint has to be an address with http://");
        let exporter = Otlp::builder().with_http().with_endpoint(url).build().context("the OTLP endpoint")?;
        let resource = Resource::builder()
            .with_service_name(service.to_owned())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", instance.to_owned()))
            .build();
        let exporter = Telling { exporter, told: Mutex::default() };
        Ok(Some(Self(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())))
    }

    /// Makes spans of our own crates leave by it.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer: SdkTracer = self.0.tracer("talk");
        OpenTelemetryLayer::new(tracer)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(FilterFn::new(exported).with_max_level_hint(LevelFilter::DEBUG))
    }

    /// Sends what is left, for as long as there is time. It blocks: no runtime may need this thread.
    pub(crate) fn close(&self, time_left: Duration) {
        if let Err(error) = self.0.shutdown_with_timeout(time_left.min(LAST_EXPORT)) {
            tracing::warn!("the last traces were not sent: {error}");
        }
    }
}

fn exported(metadata: &Metadata<'_>) -> bool {
    let owner = metadata.target().split("::").next().unwrap_or_default();
    metadata.is_span() && *metadata.level() <= Level::DEBUG && OURS.contains(&owner)
}

/// Logs, now and then, that spans are lost; nothing else is done about it.
struct Telling {
    exporter: Otlp,
    told: Mutex<Option<Instant>>,
}

impl Telling {
    fn lost(&self, spans: usize, error: &dyn fmt::Display) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            *told = Some(Instant::now());
            tracing::warn!(spans, "the collector of traces does not take them: {error}");
        }
    }
}

impl SpanExporter for Telling {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.exporter.export(batch).await.inspect_err(|error| self.lost(spans, error))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl fmt::Debug for Telling {
    // Without its headers, which may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telling")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(endpoint: &str, traces_endpoint: &str) -> TracesConfig {
        let some = |url: &str| Some(url.to_owned());
        TracesConfig { endpoint: some(endpoint), traces_endpoint: some(traces_endpoint), service_name: None }
    }

    #[test]
    fn the_standard_variables_say_where_traces_go() {
        for (name, config, url) in [
            ("nowhere, when empty", config("", ""), None),
            ("below the endpoint of all signals", config("http://c:4318/", ""), Some("http://c:4318/v1/traces")),
            ("exactly where traces go", config("http://c:4318", "http://t/x"), Some("http://t/x")),
        ] {
            assert_eq!(config.url().as_deref(), url, "{name}");
        }
        assert!(Traces::open(&config("https://c:4318", ""), "s", "s-1").is_err());
    }
}
