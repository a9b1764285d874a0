//! Applies commands of one partition in order and says what each came to. Applied again, a
//! command comes to the same, so that a batch that failed half-way is simply tried again.

use crate::{
    batch::{Asked, steps},
    erasure::Leftovers,
    numbers,
    rooms::Rooms,
    sequence::{Sent, Sequence},
    store::{Key, Store},
};
use futures_util::future::try_join_all;
use proto::{Message, MessageId, Refusal, RoomCommand, RoomId, UserId};
use std::collections::BTreeSet;

/// After so many lost races in a row, whoever else is at work gets a pause.
const RACES: u32 = 10;

/// What a command came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The message is stored, by this command or an earlier one.
    Stored {
        /// As it is stored.
        message: Message,
        /// Whom to tell.
        members: Vec<UserId>,
    },
    /// The message is liked.
    Liked {
        /// Which.
        message: MessageId,
        /// By whom.
        by: UserId,
        /// Whom to tell; nobody when it was liked already and they know.
        members: Vec<UserId>,
    },
    /// Nothing of the room is left.
    Erased,
    /// It changed nothing.
    Refused(Refusal),
    /// MongoDB refused it again and again.
    Failed,
}

/// Why a batch has to be tried again.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// MongoDB did not answer, or not in time.
    #[error("MongoDB: {0}")]
    MongoDb(#[from] mongodb::error::Error),
    /// What a stream held of a room could not be purged.
    #[error("purging a room from a stream: {0}")]
    Purge(#[from] async_nats::jetstream::stream::PurgeError),
    /// MongoDB refused one message.
    #[error("{0}")]
    Rejected(String),
    /// A message is stored already, or another process stored one in the same place.
    #[error("another chat-store works on the same rooms")]
    Taken,
    /// It took too long.
    #[error("the batch took longer than {0:?}")]
    TooLong(std::time::Duration),
}

/// One partition, as the process that consumes it sees it.
pub struct Partition {
    pub(crate) store: Store,
    pub(crate) rooms: Rooms,
    leftovers: Leftovers,
    sequence: Sequence,
}

/// Commands of a batch and what they came to so far.
pub(crate) struct Batch<'a> {
    pub(crate) asked: &'a [Asked<'a>],
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) again: bool,
}

impl Partition {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(store: Store, leftovers: Leftovers) -> Self {
        Self { store, leftovers, rooms: Rooms::default(), sequence: Sequence::default() }
    }

    /// Somebody else may have worked on the partition: trust only the database.
    pub fn forget(&mut self) {
        self.rooms.forget();
    }

    /// Applies commands in their order; the outcomes are in the same order. `again`: some may
    /// have been applied before.
    ///
    /// # Errors
    /// When not all were applied. Then [`Self::forget`], and apply all of them again.
    pub async fn apply(&mut self, asked: &[Asked<'_>], again: bool) -> Result<Vec<Outcome>, ApplyError> {
        let mut tried = self.attempt(asked, again).await;
        for _ in 0..RACES {
            if !matches!(tried, Err(ApplyError::Taken)) {
                break;
            }
            self.forget();
            tried = self.attempt(asked, true).await;
        }
        if tried.is_ok() {
            self.sequence.done();
        }
        tried
    }

    async fn attempt(&mut self, asked: &[Asked<'_>], again: bool) -> Result<Vec<Outcome>, ApplyError> {
        self.rooms.learn(&self.store, asked.iter().map(|asked| asked.command.room())).await?;
        let outcomes = vec![Outcome::Refused(Refusal::NotInRoom); asked.len()];
        let mut batch = Batch { asked, outcomes, again };
        for step in steps(asked.iter().map(|asked| asked.command)) {
            self.send(&mut batch, &step.sent).await?;
            self.like(&mut batch, &step.liked).await?;
            self.end(&mut batch, &step.ended).await?;
        }
        Ok(batch.outcomes)
    }

    async fn send(&mut self, batch: &mut Batch<'_>, places: &[usize]) -> Result<(), ApplyError> {
        let allowed: Vec<(usize, Sent<'_>)> =
            places.iter().filter_map(|&place| Some((place, self.allowed(batch.asked[place].command)?))).collect();
        let sent: Vec<Sent<'_>> = allowed.iter().map(|(_, sent)| sent.clone()).collect();
        let stored = self.sequence.place(&self.store, &mut self.rooms, &sent, batch.again).await?;
        for (place, Sent { key, .. }) in allowed {
            batch.outcomes[place] = match (stored.get(&key), self.rooms.entered(key.room, key.author)) {
                (Some(message), Some(room)) => {
                    Outcome::Stored { message: message.clone(), members: room.members.clone() }
                }
                _ => Outcome::Failed,
            };
        }
        Ok(())
    }

    fn allowed<'a>(&self, command: &'a RoomCommand) -> Option<Sent<'a>> {
        let RoomCommand::MessageSent { room, author, nonce, content } = command else { return None };
        self.rooms.entered(*room, *author)?;
        Some(Sent { key: Key { room: *room, author: *author, nonce: nonce.clone() }, content })
    }

    async fn end(&mut self, batch: &mut Batch<'_>, places: &[usize]) -> Result<(), ApplyError> {
        let ended: Vec<(RoomId, u64)> =
            places.iter().map(|&place| (batch.asked[place].command.room(), batch.asked[place].sequence)).collect();
        self.store.erase(&ended.iter().map(|(room, _)| *room).collect::<Vec<_>>()).await?;
        try_join_all(ended.iter().map(|(room, sequence)| self.leftovers.purge(*room, *sequence))).await?;
        for (room, _) in &ended {
            self.rooms.close(*room);
        }
        for &place in places {
            batch.outcomes[place] = Outcome::Erased;
        }
        metrics::counter!(numbers::ROOMS_ERASED).increment(ended.len() as u64);
        Ok(())
    }

    /// Erases what was stored in those of the rooms that are over by now: whoever was paused in
    /// the middle of a batch may have stored messages after another process erased them.
    ///
    /// # Errors
    /// When MongoDB does not answer.
    pub async fn erase_closed(&mut self, rooms: impl Iterator<Item = RoomId>) -> Result<u64, ApplyError> {
        self.forget();
        let rooms: BTreeSet<RoomId> = rooms.collect();
        let rooms: Vec<RoomId> = rooms.into_iter().collect();
        let open: Vec<RoomId> = self.store.rooms(&rooms).await?.iter().filter(|r| r.open).map(|r| r.id).collect();
        let closed: Vec<RoomId> = rooms.into_iter().filter(|room| !open.contains(room)).collect();
        Ok(self.store.erase(&closed).await?)
    }
}
