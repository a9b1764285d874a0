//! What every service process has: configuration, telemetry, health, supervised tasks, signals, and an exit code.

mod config;
#[cfg(feature = "mongodb")]
pub mod database;
pub mod health;
mod log;
pub mod metrics;
mod rlimit;
mod supervisor;
pub mod traces;

pub use config::{Common, ServiceConfig, positive, whole_seconds};
pub use log::LogFormat;
pub use supervisor::Supervisor;

use anyhow::Context as _;
use std::{
    ffi::OsString,
    future::Future,
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use traces::Traces;

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
            rlimit::raise();
            run_until_done(config, run, traces.as_ref())
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
    log::start(&common.log, common.log_format, log::Source { service, instance }, traces.as_ref());
    Ok(traces)
}

fn run_until_done<C, F, Fut>(config: C, run: F, traces: Option<&Traces>) -> ExitCode
where
    C: ServiceConfig,
    F: FnOnce(C, CancellationToken) -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    let deadline = config.common().drain_deadline;
    let mut runtime = match C::SINGLE_THREADED {
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
        tracing::error!("service failed: {error:#}");
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
    let mut terminate = signal(SignalKind::terminate()).context("handling SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("handling SIGINT")?;
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
