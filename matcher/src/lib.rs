#![doc = include_str!("../README.md")]

mod api;
mod commands;
mod config;
mod context;
mod domain;
mod jobs;
mod metrics;
mod rooms;
mod store;
mod wakeup;

pub use config::Config;

use anyhow::Context as _;
use api::Api;
use commands::consumer::Consumer;
use context::Context;
use jobs::leader;
use proto::{
    ProcessId,
    bus::{
        Bus,
        connect::{Streams, connect},
    },
    health::Health,
    process::Supervisor,
};
use std::sync::Arc;
use store::Store;
use tokio_util::sync::CancellationToken;
use wakeup::Wakeup;

/// Runs a matcher until `shutdown`, and finishes what is in progress.
///
/// # Errors
/// When NATS or MongoDB are unavailable at the start, the health port is taken, or a task ends unexpectedly.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    metrics::describe();
    let id = config.matcher_id.of_this_life().map_err(anyhow::Error::msg).context("MATCHER_ID is too long")?;
    let Some(connected) = shutdown.run_until_cancelled(connect_all(&config, &id)).await else { return Ok(()) };
    let (bus, store) = connected?;
    let wakeup = Wakeup::new(&bus);
    let context = Arc::new(Context { id, config, bus, store, wakeup });
    let supervisor = start(&context, &shutdown).await?;
    tracing::info!(matcher.id = %context.id, "started");
    supervisor.run().await?;
    context.bus.flush().await;
    Ok(())
}

async fn connect_all(config: &Config, id: &ProcessId) -> anyhow::Result<(Bus, Store)> {
    let (name, streams) = (id.to_string(), Streams::Declare { replicas: config.nats_replicas });
    let bus = connect(&config.common.nats, config.common.connect_timeout, &name, streams);
    tokio::try_join!(bus, Store::connect(config))
}

async fn start(context: &Arc<Context>, shutdown: &CancellationToken) -> anyhow::Result<Supervisor> {
    let mut supervisor = Supervisor::new(shutdown);
    let dependencies = vec![context.bus.dependency(), context.store.dependency()];
    let health = Health::bind(context.config.common.health_addr, dependencies, shutdown.clone()).await?;
    let api = Api::start(context).await?;
    leader::start(&mut supervisor, context, shutdown).await?;
    supervisor.spawn("commands", Consumer::new(context.clone(), shutdown.clone()).run());
    supervisor.spawn("requests", api.serve(context.clone(), shutdown.clone()));
    supervisor.spawn("wake-ups", context.wakeup.clone().subscribe(shutdown.clone()));
    supervisor.spawn_background("health", health.serve());
    Ok(supervisor)
}
