//! The log, on stderr: text, or one JSON object a line, which also has the service and its instance and, within a trace,
//! the ids of trace and span.

use crate::{bus::trace_context, process::traces::Traces};
use std::{fmt, io::IsTerminal as _};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{
        FmtContext,
        format::{Format, FormatEvent, FormatFields, Json, JsonFields, Writer},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the log, and the traces if they are to be exported.
pub(super) fn start(filter: &str, format: LogFormat, name: Name, traces: Option<&Traces>) {
    // A second start in one process keeps the first one's log.
    let _already_started = match traces {
        Some(traces) => {
            tracing_subscriber::registry().with(traces.layer()).with(lines(filter, format, name)).try_init()
        }
        None => tracing_subscriber::registry().with(lines(filter, format, name)).try_init(),
    };
}

fn lines<S>(filter: &str, format: LogFormat, name: Name) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let color = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(color);
    match format {
        LogFormat::Text => log.with_filter(filter).boxed(),
        LogFormat::Json => {
            let format = Objects { format: Format::default().json().flatten_event(true), name };
            log.fmt_fields(JsonFields::new()).event_format(format).with_filter(filter).boxed()
        }
    }
}

/// The process that writes the log.
pub(super) struct Name {
    /// Which service.
    pub(super) service: String,
    /// Which of its processes.
    pub(super) instance: String,
}

/// JSON objects with the names of service and trace.
struct Objects {
    format: Format<Json>,
    name: Name,
}

impl<S, N> FormatEvent<S, N> for Objects
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        let open = line.trim_end().strip_suffix('}').ok_or(fmt::Error)?;
        writer.write_str(open)?;
        let Name { service, instance } = &self.name;
        write!(writer, r#","service":{},"instance":{}"#, quoted(service)?, quoted(instance)?)?;
        if let Some((trace, span)) = trace_context::active() {
            write!(writer, r#","trace_id":"{trace}","span_id":"{span}""#)?;
        }
        writeln!(writer, "}}")
    }
}

fn quoted(text: &str) -> Result<String, fmt::Error> {
    serde_json::to_string(text).map_err(|_| fmt::Error)
}
