//! One partition, as the process that consumes it sees it: applies commands in order. Applied again, a command has the
//! same result, so that a batch that failed half-way is simply applied again.

mod error;
mod likes;
mod messages;
mod stream_purge;

pub use error::ApplyError;
pub use stream_purge::StreamPurge;

use crate::{
    domain::{Outcome, Sequenced, batch::steps, rooms::KnownRoom, rooms::Rooms},
    metrics,
    store::Store,
};
use futures_util::future::try_join_all;
use proto::{Refusal, RoomId};
use std::collections::{BTreeSet, HashMap};

/// So many conflicts in a row with another process are resolved at once; then this one pauses.
const CONFLICTS: u32 = 10;

/// One partition.
pub struct Partition {
    store: Store,
    streams: StreamPurge,
    rooms: Rooms,
}

impl Partition {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(store: Store, streams: StreamPurge) -> Self {
        Self { store, streams, rooms: Rooms::default() }
    }

    /// Another process may have worked on the partition: trusts only the database from now on.
    pub fn forget(&mut self) {
        self.rooms.forget();
    }

    /// Applies commands in their order; the outcomes are in the same order. `maybe_applied`: some may have been applied
    /// before.
    ///
    /// # Errors
    /// When not all were applied. Then [`Self::forget`], and apply all of them again.
    pub async fn apply(&mut self, commands: &[Sequenced<'_>], maybe_applied: bool) -> Result<Vec<Outcome>, ApplyError> {
        let mut attempt = self.attempt(commands, maybe_applied).await;
        for _ in 0..CONFLICTS {
            if !matches!(attempt, Err(ApplyError::Conflict)) {
                break;
            }
            self.forget();
            attempt = self.attempt(commands, true).await;
        }
        attempt
    }

    async fn attempt(&mut self, commands: &[Sequenced<'_>], maybe_applied: bool) -> Result<Vec<Outcome>, ApplyError> {
        self.learn(commands.iter().map(|sequenced| sequenced.command.room())).await?;
        let mut outcomes = vec![Outcome::Refused(Refusal::NotInRoom); commands.len()];
        for step in steps(commands.iter().map(|sequenced| sequenced.command)) {
            let of = |indexes: &[usize]| indexes.iter().map(|&at| (at, commands[at])).collect::<Vec<_>>();
            let (sent, liked, ended) = (of(&step.sent), of(&step.liked), of(&step.ended));
            let stored = messages::store(&self.store, &mut self.rooms, &sent, maybe_applied).await?;
            let likes = likes::like(&self.store, &self.rooms, &liked, maybe_applied).await?;
            let erased = self.erase(&ended).await?;
            for (at, outcome) in stored.into_iter().chain(likes).chain(erased) {
                outcomes[at] = outcome;
            }
        }
        Ok(outcomes)
    }

    /// Reads those of the rooms that are not remembered, all at once.
    async fn learn(&mut self, rooms: impl Iterator<Item = RoomId>) -> Result<(), ApplyError> {
        let unknown = self.rooms.unknown(rooms);
        let (reader, messages) = (self.store.rooms(), self.store.messages());
        let (found, sizes) = tokio::try_join!(reader.find(&unknown), messages.room_sizes(&unknown))?;
        let sizes: HashMap<_, _> = sizes.into_iter().collect();
        self.rooms.remember(found.into_iter().map(|room| {
            let size = sizes.get(&room.id).copied().unwrap_or_default();
            (room.id, KnownRoom { members: room.members().collect(), open: room.open, size })
        }));
        Ok(())
    }

    /// Erases rooms that have ended: their messages, and what the streams still hold of them.
    async fn erase(&mut self, ended: &[(usize, Sequenced<'_>)]) -> Result<Vec<(usize, Outcome)>, ApplyError> {
        let rooms: Vec<RoomId> = ended.iter().map(|(_, sequenced)| sequenced.command.room()).collect();
        self.store.messages().erase(&rooms).await?;
        let purge = |(_, end): &(usize, Sequenced<'_>)| self.streams.purge(end.command.room(), end.sequence);
        try_join_all(ended.iter().map(purge)).await?;
        for room in rooms {
            self.rooms.close(room);
        }
        ::metrics::counter!(metrics::ROOMS_ERASED).increment(ended.len() as u64);
        Ok(ended.iter().map(|(at, _)| (*at, Outcome::Erased)).collect())
    }

    /// Erases what was stored in those of the rooms that are closed by now: a process that was suspended in the middle
    /// of a batch may have stored messages after another process had erased them.
    ///
    /// # Errors
    /// When MongoDB does not respond.
    pub async fn erase_closed(&mut self, rooms: impl Iterator<Item = RoomId>) -> Result<u64, ApplyError> {
        self.forget();
        let mut closed: BTreeSet<RoomId> = rooms.collect();
        let found = self.store.rooms().find(&closed.iter().copied().collect::<Vec<_>>()).await?;
        for room in found.iter().filter(|room| room.open) {
            closed.remove(&room.id);
        }
        Ok(self.store.messages().erase(&closed.into_iter().collect::<Vec<_>>()).await?)
    }
}
