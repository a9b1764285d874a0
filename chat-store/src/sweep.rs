//! The backstop: looks for messages whose room is gone and removes them. The usual erasure
//! leaves none, except when a chat-store was killed while it held messages of a room that
//! ended meanwhile. Those of rooms that are there are kept from expiring.

use crate::{config::Config, erasure::Leftovers, numbers, store::Store};
use proto::RoomId;
use std::{collections::HashSet, time::Duration};
use tokio_util::sync::CancellationToken;

/// Rooms to ask for at once.
const CHUNK: usize = 1000;
/// MongoDB that hangs must not end all sweeping.
const DEADLINE: Duration = Duration::from_secs(60);

/// Sweeps at every interval until the shutdown.
pub(crate) async fn run(store: Store, leftovers: Leftovers, config: Config, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(config.sweep_interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        let sweep = sweep(&store, &leftovers, config.sweep_grace);
        let sweep = tokio::time::timeout(config.sweep_grace + DEADLINE, sweep);
        match shutdown.run_until_cancelled(sweep).await {
            Some(Ok(Ok(0))) | None => {}
            Some(Ok(Ok(removed))) => {
                metrics::counter!(numbers::BACKSTOP_REMOVED).increment(removed);
                tracing::warn!(removed, "the sweep removed messages of rooms that were over");
            }
            Some(Ok(Err(error))) => tracing::warn!("a sweep failed: {error:#}"),
            Some(Err(_)) => tracing::warn!("a sweep took too long"),
        }
    }
}

/// A room that is gone before the grace and after it has had its usual erasure, unless its end
/// still lies in the stream, because NATS, MongoDB or its chat-store was away. One that is there
/// keeps all its messages however old they are, since the last one says which place is next.
async fn sweep(store: &Store, leftovers: &Leftovers, grace: Duration) -> anyhow::Result<u64> {
    let rooms = store.rooms_with_messages().await?;
    let there = there(store, &rooms).await?;
    for chunk in there.chunks(CHUNK) {
        store.put_off_backstop(chunk).await?;
    }
    let suspects = without(rooms, there);
    if suspects.is_empty() {
        return Ok(0);
    }
    tokio::time::sleep(grace).await;
    let there = self::there(store, &suspects).await?;
    let mut missed = Vec::new();
    for room in without(suspects, there) {
        if !leftovers.end_is_to_come(room).await? {
            missed.push(room);
        }
    }
    Ok(store.erase(&missed).await?)
}

/// Those that have a document: the matcher deletes it when the stream has the room's end.
async fn there(store: &Store, rooms: &[RoomId]) -> anyhow::Result<Vec<RoomId>> {
    let mut there = Vec::new();
    for chunk in rooms.chunks(CHUNK) {
        there.extend(store.rooms(chunk).await?.into_iter().map(|room| room.id));
    }
    Ok(there)
}

fn without(mut rooms: Vec<RoomId>, others: Vec<RoomId>) -> Vec<RoomId> {
    let others = HashSet::<RoomId>::from_iter(others);
    rooms.retain(|room| !others.contains(room));
    rooms
}
