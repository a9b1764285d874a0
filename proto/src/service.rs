//! What every service process does: configuration, telemetry, the connection to NATS, signals,
//! and an exit code.

use crate::{
    bus::Bus,
    connection::Connection,
    files, log, numbers, streams,
    traces::{Traces, TracesConfig},
};
use anyhow::Context as _;
use async_nats::Event;
use clap::{Args, Parser};
use std::{
    ffi::OsString,
    future::Future,
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub use crate::log::LogFormat;

/// What all services are told.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Where NATS is, and as whom to sign in.
    #[command(flatten)]
    pub nats: Connection,
    /// How long to try to reach NATS and MongoDB at the start.
    #[arg(long, env = "CONNECT_TIMEOUT", default_value = "30s", value_parser = humantime::parse_duration)]
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
    /// How long the work in flight may take after SIGTERM; then the exit is a failure.
    #[arg(long, env = "DRAIN_DEADLINE", default_value = "20s", value_parser = humantime::parse_duration)]
    pub drain_deadline: Duration,
    /// Where traces go.
    #[command(flatten)]
    pub traces: TracesConfig,
}

/// The configuration of a service.
pub trait ServiceConfig: Parser {
    /// Whether the service runs on one thread, where what is read first is handled first.
    const ONE_THREAD: bool = false;

    /// What all services are told.
    fn common(&self) -> &Common;

    /// What operators know this process by.
    fn instance(&self) -> String;
}

/// Runs a service: reads its configuration, starts telemetry, takes as many open files as it may,
/// runs it until SIGTERM or SIGINT and gives it the drain deadline to finish. A failure is one line and a non-zero exit code.
pub fn main<C, F, Fut>(args: impl IntoIterator<Item = OsString>, run: F) -> ExitCode
where
    C: ServiceConfig,
    F: FnOnce(C, CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let config = C::parse_from(args);
    match start_telemetry(&config) {
        Ok(traces) => {
            files::raise_limit();
            run_to_the_end(config, run, traces.as_ref())
        }
        Err(error) => {
            // There is no log yet.
            eprintln!("cannot start: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start_telemetry<C: ServiceConfig>(config: &C) -> anyhow::Result<Option<Traces>> {
    let common = config.common();
    let service = common.traces.service_name.clone().unwrap_or_else(|| C::command().get_name().to_owned());
    let instance = config.instance();
    let traces = Traces::open(&common.traces, &service, &instance)?;
    log::start(common, log::Name { service, instance }, traces.as_ref());
    Ok(traces)
}

fn run_to_the_end<C, F, Fut>(config: C, run: F, traces: Option<&Traces>) -> ExitCode
where
    C: ServiceConfig,
    F: FnOnce(C, CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let deadline = config.common().drain_deadline;
    let mut runtime = match C::ONE_THREAD {
        true => tokio::runtime::Builder::new_current_thread(),
        false => tokio::runtime::Builder::new_multi_thread(),
    };
    let mut end = None;
    let result = runtime
        .enable_all()
        .build()
        .context("starting the runtime")
        .and_then(|runtime| runtime.block_on(until_signal(config, run, deadline, &mut end)));
    if let Err(error) = &result {
        tracing::error!("stopped: {error:#}");
    }
    if let Some(traces) = traces {
        traces.close(end.map_or(deadline, |end: Instant| end.saturating_duration_since(Instant::now())));
    }
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `end` is when everything has to be over, once a signal has come.
async fn until_signal<C, F, Fut>(config: C, run: F, deadline: Duration, end: &mut Option<Instant>) -> anyhow::Result<()>
where
    F: FnOnce(C, CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let shutdown = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("listening to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening to SIGINT")?;
    let service = run(config, shutdown.clone());
    tokio::pin!(service);
    tokio::select! {
        result = &mut service => return result,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    *end = Some(Instant::now() + deadline);
    tracing::info!("draining");
    shutdown.cancel();
    tokio::time::timeout(deadline, service).await.context("the drain took longer than DRAIN_DEADLINE")?
}

/// What becomes of the streams at the start. They have one owner, the matcher; nobody else is allowed to make them.
#[derive(Clone, Copy, Debug)]
pub enum Streams {
    /// All are made, or brought up to date, with so many copies.
    Declare {
        /// Copies of each stream.
        replicas: usize,
    },
    /// These are waited for.
    Await(&'static [&'static str]),
}

/// Connects to NATS and waits for the streams, trying for as long as the configuration allows.
///
/// # Errors
/// When NATS does not answer in that time, or refuses.
pub async fn connect(common: &Common, name: &str, streams: Streams) -> anyhow::Result<Bus> {
    let client = common
        .nats
        .options()?
        .name(name)
        .retry_on_initial_connect()
        .ping_interval(Duration::from_secs(10))
        .client_capacity(UNSENT)
        .request_timeout(Some(ANSWERED))
        // Soon again, since people wait: 100 ms, 200 ms, … 1 s.
        .reconnect_delay_callback(|attempt| Duration::from_millis(50 << attempt.min(5)).min(Duration::from_secs(1)))
        .event_callback(|event| async move { log_event(&event) })
        .connect(common.nats.addresses())
        .await
        .context("NATS_URL is not an address of NATS")?;
    let bus = Bus::new(client);
    tokio::time::timeout(common.connect_timeout, prepare_patiently(&bus, streams))
        .await
        .context("NATS was not ready within CONNECT_TIMEOUT; are NATS_URL, NATS_USER and NATS_PASSWORD right, is JetStream on, and does a matcher run, which makes the streams?")?;
    Ok(bus)
}

/// How long JetStream may take to answer what is no publication. While it elects a leader it answers nobody, for some
/// 6 s after an outage, measured with three nodes: whoever asked in that time has to ask again soon.
const ANSWERED: Duration = Duration::from_secs(2);

/// What a process publishes while NATS hangs and nobody knows yet, in messages: with the longest texts some 4 MB.
const UNSENT: usize = 256;

async fn prepare_patiently(bus: &Bus, streams: Streams) {
    while let Err(error) = prepare(bus, streams).await {
        tracing::warn!("NATS is not ready yet: {error:#}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

async fn prepare(bus: &Bus, streams: Streams) -> anyhow::Result<()> {
    match streams {
        Streams::Declare { replicas } => streams::declare(&bus.js, replicas).await,
        Streams::Await(names) => streams::present(&bus.js, names).await,
    }
}

fn log_event(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to NATS"),
        Event::Disconnected => {
            metrics::counter!(numbers::NATS_DISCONNECTS).increment(1);
            tracing::warn!("NATS is away; trying again");
        }
        Event::SlowConsumer(_) => {
            metrics::counter!(numbers::SLOW_CONSUMERS).increment(1);
            tracing::warn!("a subscription was too slow and lost events");
        }
        Event::Draining | Event::Closed => {}
        other => tracing::warn!("NATS: {other}"),
    }
}
