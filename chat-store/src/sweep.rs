//! The backstop: looks for messages whose room is gone and removes them. The usual erasure
//! leaves none, except when a chat-store was killed while it held messages of a room that
//! ended meanwhile.

use crate::{config::Config, numbers, store::Store};
use mongodb::error::Error;
use proto::RoomId;
use std::{collections::HashSet, time::Duration};
use tokio_util::sync::CancellationToken;

/// Rooms to ask for at once.
const CHUNK: usize = 1000;
/// MongoDB that hangs must not end all sweeping.
const DEADLINE: Duration = Duration::from_secs(60);

/// Sweeps at every interval until the shutdown.
pub(crate) async fn run(store: Store, config: Config, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(config.sweep_interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        let sweep = tokio::time::timeout(config.sweep_grace + DEADLINE, sweep(&store, config.sweep_grace));
        match shutdown.run_until_cancelled(sweep).await {
            Some(Ok(Ok(0))) | None => {}
            Some(Ok(Ok(removed))) => {
                metrics::counter!(numbers::BACKSTOP_REMOVED).increment(removed);
                tracing::warn!(removed, "the sweep removed messages of rooms that were over");
            }
            Some(Ok(Err(error))) => tracing::warn!("a sweep failed: {error}"),
            Some(Err(_)) => tracing::warn!("a sweep took too long"),
        }
    }
}

/// A room that is gone before the grace and after it has had its usual erasure.
async fn sweep(store: &Store, grace: Duration) -> Result<u64, Error> {
    let suspects = gone(store, store.rooms_with_messages().await?).await?;
    if suspects.is_empty() {
        return Ok(0);
    }
    tokio::time::sleep(grace).await;
    let suspects = gone(store, suspects).await?;
    store.erase(&suspects).await
}

async fn gone(store: &Store, mut rooms: Vec<RoomId>) -> Result<Vec<RoomId>, Error> {
    let mut open = HashSet::new();
    for chunk in rooms.chunks(CHUNK) {
        open.extend(store.rooms(chunk).await?.into_iter().filter(|room| room.open).map(|room| room.id));
    }
    rooms.retain(|room| !open.contains(room));
    Ok(rooms)
}
