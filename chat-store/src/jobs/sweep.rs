//! Finds orphans: messages whose room is gone, and erases them. The usual erasure leaves none, except when a chat-store
//! was killed or suspended while it stored messages of a room that ended meanwhile. A metric counts them.

use crate::{config::Config, metrics, partition::StreamPurge, store::Store};
use anyhow::Context as _;
use proto::RoomId;
use std::{collections::HashSet, time::Duration};
use tokio_util::sync::CancellationToken;

/// Rooms in one request.
const CHUNK: usize = 1000;
/// How long one sweep may take beside its grace: MongoDB that hangs must not end all sweeping.
const DEADLINE: Duration = Duration::from_secs(60);

/// Sweeps at every interval.
pub(crate) struct Sweep {
    store: Store,
    streams: StreamPurge,
    interval: Duration,
    grace: Duration,
}

impl Sweep {
    pub(crate) fn new(store: Store, streams: StreamPurge, config: &Config) -> Self {
        Self { store, streams, interval: config.sweep_interval, grace: config.sweep_grace }
    }

    /// Sweeps until the shutdown. A sweep that fails is repeated at the next interval.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let sweep = tokio::time::timeout(self.grace.saturating_add(DEADLINE), self.sweep());
            match shutdown.run_until_cancelled(sweep).await.map(|swept| swept.context("deadline exceeded").flatten()) {
                Some(Ok(0)) | None => {}
                Some(Ok(removed)) => {
                    ::metrics::counter!(metrics::ORPHANS_REMOVED).increment(removed);
                    tracing::warn!(removed, "orphaned messages removed");
                }
                Some(Err(error)) => tracing::warn!("sweep failed: {error:#}"),
            }
        }
        Ok(())
    }

    /// A room that is gone before the grace and after it has had its usual erasure, unless its end is still in the
    /// stream, because NATS, MongoDB or its chat-store was unavailable.
    async fn sweep(&self) -> anyhow::Result<u64> {
        let suspects = self.gone(self.store.messages().rooms().await?).await?;
        if suspects.is_empty() {
            return Ok(0);
        }
        tokio::time::sleep(self.grace).await;
        let mut orphaned = Vec::new();
        for room in self.gone(suspects).await? {
            if !self.streams.has_end_of(room).await? {
                orphaned.push(room);
            }
        }
        Ok(self.store.messages().erase(&orphaned).await?)
    }

    /// Those that have no document: the matcher deletes it once the stream has the room's end.
    async fn gone(&self, mut rooms: Vec<RoomId>) -> anyhow::Result<Vec<RoomId>> {
        let mut found = HashSet::new();
        for chunk in rooms.chunks(CHUNK) {
            found.extend(self.store.rooms().find(chunk).await?.into_iter().map(|room| room.id));
        }
        rooms.retain(|room| !found.contains(room));
        Ok(rooms)
    }
}
