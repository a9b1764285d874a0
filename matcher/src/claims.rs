//! Who waits, and turning a plan into rooms: transactions over `users` and `rooms`, which take
//! a pair only if both still wait as they were read. Two matchers that tick at once do no harm.

use crate::{
    pairing::{Pair, Waiting},
    rooms::{Room, Rooms},
    users::{Users, is_duplicate},
};
use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use mongodb::{
    Client, ClientSession, Collection, Database,
    bson::{Bson, Document, doc},
    error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT},
};
use proto::Queue;
use std::time::Duration;

/// How often a transaction is tried that met another one.
const ATTEMPTS: u32 = 3;

/// Reads who waits and claims pairs of them.
#[derive(Clone)]
pub(crate) struct Claims {
    client: Client,
    database: Database,
    waiting: Collection<Waiting>,
    rooms: Collection<Room>,
    ttl: Duration,
}

/// A pair that was claimed, and its room.
pub(crate) struct Claimed {
    pub(crate) pair: Pair,
    pub(crate) room: Room,
}

/// Why nothing of a transaction was done.
enum Collision {
    /// Somebody of them does not wait any more as they were read.
    Changed,
    /// The database says no.
    Refused(Error),
}

impl From<Error> for Collision {
    fn from(error: Error) -> Self {
        if is_duplicate(&error) { Self::Changed } else { Self::Refused(error) }
    }
}

impl Claims {
    pub(crate) fn new(client: &Client, database: &Database, ttl: Duration) -> Self {
        let (waiting, rooms) = (database.collection(Users::NAME), database.collection(Rooms::NAME));
        Self { client: client.clone(), database: database.clone(), waiting, rooms, ttl }
    }

    /// Who can be matched: waits, has a connection, and is settled. Longest wait first.
    pub(crate) async fn waiting(&self, now: i64) -> anyhow::Result<Vec<Waiting>> {
        let matchable = doc! { "state": "waiting", "connected": true, "ready_at": { "$lte": now } };
        let found = self
            .waiting
            .find(matchable)
            .sort(doc! { "queued_at": 1, "acted": 1 })
            .projection(doc! { "queue": 1, "queued_at": 1, "acted": 1 })
            .batch_size(10_000)
            .await
            .context("reading who waits")?;
        found.try_collect().await.context("reading who waits")
    }

    /// Moves somebody to the queue that the plan gave them; false if they do not wait there any
    /// more.
    pub(crate) async fn move_to_talk(&self, moved: &Waiting) -> anyhow::Result<bool> {
        let update = doc! { "$set": { "queue": Queue::Talk.as_str() }, "$inc": { "revision": 1 } };
        let result = self.waiting.update_one(as_read(moved), update).await.context("moving to talk")?;
        Ok(result.matched_count == 1)
    }

    /// Claims these pairs and makes their rooms, all at once, or else in ever smaller parts
    /// down to a single pair, which then waits for the next tick.
    pub(crate) async fn claim(&self, pairs: Vec<Pair>, now: i64) -> anyhow::Result<Vec<Claimed>> {
        let mut parts = vec![pairs];
        let mut all = Vec::new();
        while let Some(mut part) = parts.pop() {
            let rooms: Vec<Room> = part.iter().map(|pair| Room::of(pair, now, self.ttl)).collect();
            match self.try_claim(&part, &rooms).await {
                Ok(()) => all.extend(part.into_iter().zip(rooms).map(|(pair, room)| Claimed { pair, room })),
                Err(Collision::Changed) if part.len() > 1 => {
                    let half = part.split_off(part.len() / 2);
                    parts.extend([half, part]);
                }
                Err(Collision::Changed) => metrics::counter!("talk_claims_dropped_total").increment(1),
                Err(Collision::Refused(error)) => return Err(error).context("claiming pairs"),
            }
        }
        Ok(all)
    }

    async fn try_claim(&self, pairs: &[Pair], rooms: &[Room]) -> Result<(), Collision> {
        let mut session = self.client.start_session().await?;
        let mut attempt = 1;
        loop {
            match self.transaction(&mut session, pairs, rooms).await {
                Err(Collision::Refused(error)) if error.contains_label(TRANSIENT_TRANSACTION_ERROR) => {
                    if attempt == ATTEMPTS {
                        return Err(Collision::Changed);
                    }
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn transaction(&self, session: &mut ClientSession, pairs: &[Pair], rooms: &[Room]) -> Result<(), Collision> {
        session.start_transaction().await?;
        match self.write(session, pairs, rooms).await {
            Ok(()) => commit(session).await,
            Err(collision) => {
                // The server aborts it by itself if this does not arrive.
                let _aborted_or_lapses = session.abort_transaction().await;
                Err(collision)
            }
        }
    }

    async fn write(&self, session: &mut ClientSession, pairs: &[Pair], rooms: &[Room]) -> Result<(), Collision> {
        let members = pairs.iter().zip(rooms).flat_map(|(pair, room)| pair.iter().map(move |w| (w, room)));
        let updates: Vec<Bson> = members.map(|(waiting, room)| claim(waiting, room).into()).collect();
        let wanted = i32::try_from(updates.len()).unwrap_or(i32::MAX);
        let command = doc! { "update": Users::NAME, "updates": updates, "ordered": true };
        let result = self.database.run_command(command).session(&mut *session).await?;
        // In a transaction an error inside the batch fails the whole command.
        if result.get_i32("nModified").ok() != Some(wanted) {
            return Err(Collision::Changed);
        }
        self.rooms.insert_many(rooms).session(&mut *session).await?;
        Ok(())
    }
}

/// The user, as long as they wait as they were read.
fn as_read(waiting: &Waiting) -> Document {
    doc! {
        "_id": waiting.user.to_string(),
        "state": "waiting",
        "connected": true,
        "acted": i64::try_from(waiting.acted).unwrap_or(i64::MAX),
        "queue": waiting.moved_from.unwrap_or(waiting.queue).as_str(),
    }
}

fn claim(waiting: &Waiting, room: &Room) -> Document {
    let paired = doc! { "state": "paired", "queue": waiting.queue.as_str(), "room": room.id.to_string() };
    doc! { "q": as_read(waiting), "u": { "$set": paired, "$inc": { "revision": 1 } } }
}

/// Commits; whether it happened must be known, so that it is asked until it is.
async fn commit(session: &mut ClientSession) -> Result<(), Collision> {
    let mut attempt = 1;
    loop {
        match session.commit_transaction().await {
            Err(error) if attempt < ATTEMPTS && error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => attempt += 1,
            result => return Ok(result?),
        }
    }
}
