//! The log on stderr: text, or one JSON object a line. An object also has the service and its instance and, within a
//! trace, the ids of trace and span.

use crate::{bus::trace_context, process::traces::Traces};
use json_subscriber::fmt::Layer as JsonLayer;
use std::io::{self, IsTerminal as _};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, fmt::MakeWriter, layer::SubscriberExt as _, registry::LookupSpan, util::SubscriberInitExt as _,
};

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text.
    Text,
    /// One JSON object a line.
    Json,
}

/// The process that writes the log.
pub(super) struct Source {
    /// Which service.
    pub(super) service: String,
    /// Which of its processes.
    pub(super) instance: String,
}

/// Starts the log, and the export of traces if there is one.
pub(super) fn start(filter: &str, format: LogFormat, source: Source, traces: Option<&Traces>) {
    // A second start in one process keeps the log of the first.
    let _already_started = match traces {
        Some(traces) => {
            tracing_subscriber::registry().with(traces.layer()).with(lines(filter, format, source)).try_init()
        }
        None => tracing_subscriber::registry().with(lines(filter, format, source)).try_init(),
    };
}

fn lines<S>(filter: &str, format: LogFormat, source: Source) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    match format {
        LogFormat::Text => {
            let color = io::stderr().is_terminal();
            tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(color).with_filter(filter).boxed()
        }
        LogFormat::Json => json(source, io::stderr).with_filter(filter).boxed(),
    }
}

fn json<S, W>(source: Source, writer: W) -> JsonLayer<S, W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    let mut layer = json_subscriber::fmt::layer().flatten_event(true).with_writer(writer);
    let fields = layer.inner_layer_mut();
    fields.add_static_field("service", source.service.into());
    fields.add_static_field("instance", source.instance.into());
    fields.add_dynamic_field("trace_id", |_, _| trace_context::active().map(|(trace, _)| trace));
    fields.add_dynamic_field("span_id", |_, _| trace_context::active().map(|(_, span)| span));
    layer
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use parking_lot::Mutex;
    use serde_json::Value;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_its_process_and_within_a_trace_the_ids_of_that() {
        let (buffer, provider) = (Buffer::default(), SdkTracerProvider::builder().build());
        let source = Source { service: "a \"service\"".into(), instance: "a-1".into() };
        let writer = buffer.clone();
        let log = tracing_subscriber::registry()
            .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")))
            .with(json(source, move || writer.clone()));
        tracing::subscriber::with_default(log, || {
            tracing::info!(room.id = "r", "outside");
            tracing::info_span!("request", user.id = "u").in_scope(|| tracing::warn!("inside"));
        });
        let written = String::from_utf8(buffer.0.lock().clone()).expect("text");
        let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
        let [outside, inside] = lines.as_slice() else { panic!("two lines: {written}") };
        assert_eq!((&outside["message"], &outside["room.id"]), (&"outside".into(), &"r".into()));
        assert_eq!((&outside["service"], &outside["instance"]), (&"a \"service\"".into(), &"a-1".into()));
        assert!(outside.get("trace_id").is_none() && outside.get("span_id").is_none(), "{outside}");
        assert_eq!((&inside["level"], &inside["span"]["user.id"]), (&"WARN".into(), &"u".into()));
        let digits = |field: &str| inside[field].as_str().map(str::len);
        assert_eq!((digits("trace_id"), digits("span_id")), (Some(32), Some(16)), "{inside}");
    }
}
