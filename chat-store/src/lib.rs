//! The chat-store: owns messages. Stores, announces and erases them, in one order for each room.
//!
//! ```text
//! TALK_MESSAGES, one consumer for each partition, one chat-store at a time pinned to it
//!   ▼ intake      takes what is ready, up to BATCH_SIZE commands
//!   ▼ delivered   were deliveries missed? then `older` reads them from the stream, and they go first
//!   ▼ batch       steps: what may be done together, every room's order kept
//!   ▼ partition   who may (`rooms`); messages into their places (`sequence`), `likes`, `erasure`
//!   ▼ store       MongoDB, majority and journal
//!   ▼ announce    both members on talk.live.*, then the answer to whoever asked
//!   ▼ consumer    the acknowledgement; before it, whatever fails is tried again
//! talk.read.history.<room> ─▶ history ─▶ store
//! each command is a span (`spans`) in the trace of whoever asked
//! every minute               sweep   ─▶ store: the backstop of the erasure
//! ```
//!
//! A message's place in its room (`seq`) is 1, 2, 3, … without gaps; how that holds with two
//! processes at work is said in `sequence`. A command that is delivered again comes to the same.

mod announce;
pub mod batch;
mod config;
mod consumer;
mod delivered;
pub mod erasure;
mod history;
mod intake;
mod likes;
mod numbers;
mod older;
pub mod partition;
mod pulse;
mod retry;
mod rooms;
mod schema;
mod sequence;
mod spans;
pub mod store;
mod sweep;

pub use config::Config;

use crate::{consumer::Consumer, erasure::Leftovers, history::Reader, partition::Partition, store::Store};
use anyhow::Context as _;
use proto::{
    ProcessId,
    bus::Bus,
    database::patiently,
    health,
    service::{self, Streams},
    streams, subjects,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The streams that it works with.
const USED: Streams = Streams::Await(&[streams::MESSAGES, streams::DEAD]);

/// Runs a chat-store until `shutdown`, then finishes the batches in hand.
///
/// # Errors
/// When NATS or MongoDB cannot be reached at the start, or a part of it panics.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    numbers::describe();
    config.check()?;
    let id = config.chat_store_id.of_this_life().map_err(anyhow::Error::msg).context("CHAT_STORE_ID is too long")?;
    let connected = shutdown.run_until_cancelled(connect(&config, &id)).await;
    let Some((bus, store)) = connected.transpose()? else { return Ok(()) };
    let mut tasks = start(&bus, &store, &config, &id, &shutdown).await?;
    health::serve(config.common.health_addr, vec![bus.needed(), store.needed()], shutdown.clone()).await?;
    tracing::info!(partitions = subjects::PARTITIONS, "ready");
    while let Some(ended) = tasks.join_next().await {
        ended.context("a part of the chat-store stopped")?;
    }
    bus.flush().await;
    Ok(())
}

async fn connect(config: &Config, id: &ProcessId) -> anyhow::Result<(Bus, Store)> {
    let bus = service::connect(&config.common, &id.to_string(), USED).await?;
    let store = Store::new(config).await?;
    patiently(config.common.connect_timeout, || store.prepare()).await?;
    Ok((bus, store))
}

async fn start(
    bus: &Bus,
    store: &Store,
    config: &Config,
    id: &ProcessId,
    shutdown: &CancellationToken,
) -> anyhow::Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    let leftovers = Leftovers::new(bus).await?;
    for number in 0..subjects::PARTITIONS {
        let partition = Partition::new(store.clone(), leftovers.clone());
        let batch_size = usize::from(config.batch_size);
        tasks.spawn(Consumer::new(bus.clone(), number, batch_size, partition, shutdown.clone()).run());
    }
    tasks.spawn(Reader::listen(bus, id).await?.run(store.clone(), shutdown.clone()));
    tasks.spawn(sweep::run(store.clone(), leftovers, config.clone(), shutdown.clone()));
    Ok(tasks)
}
