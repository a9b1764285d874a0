//! The configuration that all services share.

use crate::{
    bus::connect::NatsConfig,
    process::{log::LogFormat, traces::TracesConfig},
};
use clap::{Args, Parser};
use std::{net::SocketAddr, time::Duration};

/// What all services have in common.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Where NATS is, and as whom to sign in.
    #[command(flatten)]
    pub nats: NatsConfig,
    /// How long to try to reach NATS and MongoDB at the start.
    #[arg(long, env = "CONNECT_TIMEOUT", default_value = "30s", value_parser = positive)]
    pub connect_timeout: Duration,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "HEALTH_ADDR", default_value = "0.0.0.0:9100")]
    pub health_addr: SocketAddr,
    /// What is logged, as `level` or `target=level,…`.
    #[arg(long, env = "LOG", default_value = "info,async_nats=warn")]
    pub log: String,
    /// How it is logged.
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// How long work in progress may take after SIGTERM; then the exit is a failure.
    #[arg(long, env = "DRAIN_DEADLINE", default_value = "20s", value_parser = positive)]
    pub drain_deadline: Duration,
    /// Where traces go.
    #[command(flatten)]
    pub traces: TracesConfig,
}

/// The configuration of a service.
pub trait ServiceConfig: Parser {
    /// Whether the service runs on one thread, where what is read first is handled first.
    const SINGLE_THREADED: bool = false;

    /// What all services have in common.
    fn common(&self) -> &Common;

    /// The name of this process for operators.
    fn instance(&self) -> String;
}

/// Parses a duration like `3s`, `500ms` or `24h` that is longer than nothing.
///
/// # Errors
/// When it is no duration, or shorter than a millisecond.
pub fn positive(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration >= Duration::from_millis(1) { Ok(duration) } else { Err("at least 1ms".to_owned()) }
}

/// Parses a duration of whole seconds, as NATS counts times to live.
///
/// # Errors
/// When it is no duration, or not of whole seconds, or less than one.
pub fn whole_seconds(text: &str) -> Result<Duration, String> {
    let duration = positive(text)?;
    if duration.subsec_nanos() == 0 { Ok(duration) } else { Err("whole seconds, at least 1s".to_owned()) }
}
