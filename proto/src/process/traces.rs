//! Traces: a message can be followed from socket to socket, through all processes. Disabled unless a collector is
//! configured; then spans of our own crates are exported by OTLP over HTTP, from a thread of the SDK, so that nothing
//! waits for the collector. [`crate::trace_context`] propagates traces over the bus.
//!
//! Spans have the level `debug`: without a collector a span costs one check whether it is enabled. Log events inside a
//! span are not exported; log lines carry the trace's id instead.

use anyhow::{Context as _, ensure};
use clap::Args;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{SpanExporter as Otlp, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter},
};
use parking_lot::Mutex;
use std::{
    fmt,
    time::{Duration, Instant},
};
use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::{Layer, filter::FilterFn, registry::LookupSpan};

/// The crates whose spans are exported. Spans of other crates may contain texts of users.
const OURS: [&str; 4] = ["gateway", "matcher", "chat_store", "proto"];
/// How often a failing export is logged.
const LOG_AGAIN: Duration = Duration::from_secs(60);
/// How long the last export may take, if the drain has left that much time.
const LAST_EXPORT: Duration = Duration::from_secs(2);

/// Where traces go. Beside these the SDK reads `OTEL_TRACES_SAMPLER` and its `_ARG`,
/// `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_EXPORTER_OTLP_HEADERS`, `_TIMEOUT` and `OTEL_BSP_…`.
#[derive(Args, Clone, Debug)]
pub struct TracesConfig {
    /// The collector, for instance http://collector:4318; `/v1/traces` is appended. Without this variable and the
    /// next one there are no traces.
    #[arg(long = "otlp-endpoint", env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub endpoint: Option<String>,
    /// The complete address for traces; takes precedence over the endpoint of all signals.
    #[arg(long = "otlp-traces-endpoint", env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")]
    pub traces_endpoint: Option<String>,
    /// The service's name in traces and logs; by default the name of its command.
    #[arg(long, env = "OTEL_SERVICE_NAME")]
    pub service_name: Option<String>,
}

impl TracesConfig {
    /// The address that spans are posted to; none without traces.
    fn url(&self) -> Option<String> {
        let given = |variable: &Option<String>| variable.clone().filter(|url| !url.trim().is_empty());
        let below = |url: String| format!("{}/v1/traces", url.trim_end_matches('/'));
        given(&self.traces_endpoint).or_else(|| given(&self.endpoint).map(below))
    }
}

/// The export of this process' spans.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the export, if a collector is configured. Whether it is reachable shows with the first spans.
    ///
    /// # Errors
    /// When the address does not begin with http://.
    pub(crate) fn open(config: &TracesConfig, service: &str, instance: &str) -> anyhow::Result<Option<Self>> {
        let Some(url) = config.url() else { return Ok(None) };
        // A collector runs beside the services, and itself speaks TLS with the rest of the world.
        ensure!(url.starts_with("http://"), "the OTLP endpoint must begin with http://");
        let exporter = Otlp::builder().with_http().with_endpoint(url).build().context("the OTLP endpoint")?;
        let resource = Resource::builder()
            .with_service_name(service.to_owned())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", instance.to_owned()))
            .build();
        let exporter = LoggedExporter { exporter, last_logged: Mutex::default() };
        Ok(Some(Self(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())))
    }

    /// The layer that exports spans of our own crates.
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

    /// Exports what is left within this time. It blocks: no runtime may need this thread.
    pub(crate) fn close(&self, time_left: Duration) {
        if let Err(error) = self.0.shutdown_with_timeout(time_left.min(LAST_EXPORT)) {
            tracing::warn!("last traces not exported: {error}");
        }
    }
}

fn exported(metadata: &Metadata<'_>) -> bool {
    let owner = metadata.target().split("::").next().unwrap_or_default();
    metadata.is_span() && *metadata.level() <= Level::DEBUG && OURS.contains(&owner)
}

/// An exporter whose failures are logged, once in [`LOG_AGAIN`]. The spans are lost.
struct LoggedExporter {
    exporter: Otlp,
    last_logged: Mutex<Option<Instant>>,
}

impl LoggedExporter {
    fn log_failure(&self, spans: usize, error: &dyn fmt::Display) {
        let mut last_logged = self.last_logged.lock();
        if last_logged.is_none_or(|last| last.elapsed() >= LOG_AGAIN) {
            *last_logged = Some(Instant::now());
            tracing::warn!(spans, "trace collector unavailable: {error}");
        }
    }
}

impl SpanExporter for LoggedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.exporter.export(batch).await.inspect_err(|error| self.log_failure(spans, error))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl fmt::Debug for LoggedExporter {
    // Without the headers, which may contain a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoggedExporter")
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
    fn the_standard_variables_name_the_collector() {
        for (name, config, url) in [
            ("none when empty", config("", ""), None),
            ("below the endpoint of all signals", config("http://c:4318/", ""), Some("http://c:4318/v1/traces")),
            ("the complete address first", config("http://c:4318", "http://t/x"), Some("http://t/x")),
        ] {
            assert_eq!(config.url().as_deref(), url, "{name}");
        }
        assert!(Traces::open(&config("https://c:4318", ""), "s", "s-1").is_err());
    }
}
