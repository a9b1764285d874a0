#![doc = include_str!("../README.md")]

mod config;
mod consumer;
pub mod domain;
mod jobs;
mod metrics;
pub mod partition;
pub mod store;

pub use config::Config;

use crate::{
    consumer::Consumer,
    jobs::{history::HistoryService, sweep::Sweep},
    partition::{Partition, StreamPurge},
    store::Store,
};
use anyhow::Context as _;
use proto::{
    ProcessId,
    bus::{
        Bus,
        connect::{self, Streams},
    },
    database::retry_until_ready,
    health::Health,
    process::Supervisor,
    streams, subjects,
};
use tokio_util::sync::CancellationToken;

/// The streams that it works with.
const STREAMS: Streams = Streams::Await(&[streams::MESSAGES, streams::DEAD]);

/// Runs a chat-store until `shutdown`, then finishes the batches in progress.
///
/// # Errors
/// When NATS or MongoDB cannot be reached at the start, or a task fails, panics or ends before the shutdown.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    metrics::describe();
    let id = config.chat_store_id.of_this_life().map_err(anyhow::Error::msg).context("CHAT_STORE_ID is too long")?;
    let connected = shutdown.run_until_cancelled(connect(&config, &id)).await;
    let Some((bus, store)) = connected.transpose()? else { return Ok(()) };
    let supervisor = start(&bus, &store, &config, &id, &shutdown).await?;
    tracing::info!(partitions = subjects::PARTITIONS, "ready");
    let ended = supervisor.run().await;
    bus.flush().await;
    ended
}

async fn connect(config: &Config, id: &ProcessId) -> anyhow::Result<(Bus, Store)> {
    let timeout = config.common.connect_timeout;
    let bus = connect::connect(&config.common.nats, timeout, &id.to_string(), STREAMS).await?;
    let store = Store::new(config).await?;
    retry_until_ready(timeout, || store.prepare()).await?;
    Ok((bus, store))
}

async fn start(
    bus: &Bus,
    store: &Store,
    config: &Config,
    id: &ProcessId,
    shutdown: &CancellationToken,
) -> anyhow::Result<Supervisor> {
    let mut supervisor = Supervisor::new(shutdown);
    let streams = StreamPurge::new(bus).await?;
    for number in 0..subjects::PARTITIONS {
        let partition = Partition::new(store.clone(), streams.clone());
        let consumer = Consumer::new(bus.clone(), number, config.batch_size.into(), partition, shutdown.clone());
        supervisor.spawn("partition consumer", consumer.run());
    }
    supervisor.spawn("history", HistoryService::start(bus, id).await?.run(store.clone(), shutdown.clone()));
    supervisor.spawn("sweep", Sweep::new(store.clone(), streams, config).run(shutdown.clone()));
    let dependencies = vec![bus.dependency(), store.dependency()];
    let health = Health::bind(config.common.health_addr, dependencies, shutdown.clone()).await?;
    supervisor.spawn_background("health", health.serve());
    Ok(supervisor)
}
