//! Who waits, and turning a plan into rooms, in two steps of single documents: a room is
//! inserted, where the unique index refuses whoever is in an open one; then its two users are
//! bound to it, if they are as they were read. Two matchers that tick at once do no harm.
//!
//! Not a transaction: one that a killed matcher leaves open locks its users until MongoDB gives
//! it up; measured: 89 s in which they could neither be matched nor leave. What a crash leaves
//! between the two steps is a room that was never announced, which `announce` resolves.

use crate::{
    numbers,
    pairing::{Pair, Waiting},
    rooms::{Room, Rooms},
    users::Users,
};
use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database,
    bson::{Bson, Document, doc},
    error::{Error, ErrorKind},
};
use proto::{Queue, UserId, bus::now_ms, database::DUPLICATE_KEY};
use std::{collections::HashSet, time::Duration};

/// Reads who waits and claims pairs of them.
#[derive(Clone)]
pub(crate) struct Claims {
    database: Database,
    waiting: Collection<Waiting>,
    rooms: Collection<Room>,
    ttl: Duration,
}

/// A pair, and the room made for it.
pub(crate) struct Claimed {
    pub(crate) pair: Pair,
    pub(crate) room: Room,
}

/// What came of the pairs; those with somebody who is in another room by now are left out.
pub(crate) struct Outcome {
    /// Both are bound to their room.
    pub(crate) bound: Vec<Claimed>,
    /// Somebody changed in between: the room is to be dissolved.
    pub(crate) broken: Vec<Room>,
}

impl Claims {
    pub(crate) fn new(database: &Database, ttl: Duration) -> Self {
        let (waiting, rooms) = (database.collection(Users::NAME), database.collection(Rooms::NAME));
        Self { database: database.clone(), waiting, rooms, ttl }
    }

    /// Who can be matched: waits and has a connection. Longest wait first.
    pub(crate) async fn waiting(&self) -> anyhow::Result<Vec<Waiting>> {
        let matchable = doc! { "state": "waiting", "connected": true };
        let found = self
            .waiting
            .find(matchable)
            .sort(doc! { "queued_at": 1, "acted": 1 })
            .projection(doc! { "queue": 1, "queued_at": 1, "ready_at": 1, "acted": 1, "revision": 1 })
            .batch_size(10_000)
            .await
            .context("reading who waits")?;
        found.try_collect().await.context("reading who waits")
    }

    /// Moves somebody to talk; false if they are not any more as they were read.
    pub(crate) async fn move_to_talk(&self, moved: &Waiting) -> anyhow::Result<bool> {
        let update = doc! { "$set": { "queue": Queue::Talk.as_str() }, "$inc": { "revision": 1 } };
        let result = self.waiting.update_one(as_read(moved), update).await.context("moving to talk")?;
        Ok(result.matched_count == 1)
    }

    /// Makes a room for each pair and binds the two to it.
    pub(crate) async fn claim(&self, pairs: Vec<Pair>) -> anyhow::Result<Outcome> {
        // Its own time, since a tick with many pairs takes a while.
        let now = now_ms();
        let claims = pairs.into_iter().map(|pair| Claimed { room: Room::of(&pair, now, self.ttl), pair }).collect();
        let claims = self.insert(claims).await.context("making rooms")?;
        if self.bind(&claims).await.context("binding to rooms")? {
            return Ok(Outcome { bound: claims, broken: Vec::new() });
        }
        let bound = self.who_is_bound(&claims).await.context("reading who is bound")?;
        let both = |claim: &Claimed| claim.room.users().iter().all(|user| bound.contains(user));
        let (bound, broken): (Vec<_>, Vec<_>) = claims.into_iter().partition(both);
        Ok(Outcome { bound, broken: broken.into_iter().map(|claim| claim.room).collect() })
    }

    /// Inserts the rooms, and gives back those that the index did not refuse.
    async fn insert(&self, mut claims: Vec<Claimed>) -> Result<Vec<Claimed>, Error> {
        if claims.is_empty() {
            return Ok(claims);
        }
        match self.rooms.insert_many(claims.iter().map(|claim| &claim.room)).ordered(false).await {
            Ok(_) => Ok(claims),
            Err(error) => {
                let refused = refused(&error).ok_or(error)?;
                metrics::counter!(numbers::CLAIMS_REFUSED).increment(refused.len() as u64);
                let mut index = 0..;
                claims.retain(|_| index.next().is_some_and(|index| !refused.contains(&index)));
                Ok(claims)
            }
        }
    }

    /// Binds all users to their rooms; false if any of them is not as it was read.
    async fn bind(&self, claims: &[Claimed]) -> Result<bool, Error> {
        if claims.is_empty() {
            return Ok(true);
        }
        let members = claims.iter().flat_map(|claim| claim.pair.iter().map(move |waiting| (waiting, &claim.room)));
        let updates: Vec<Bson> = members.map(|(waiting, room)| binding(waiting, room).into()).collect();
        let wanted = i32::try_from(updates.len()).unwrap_or(i32::MAX);
        let command = doc! {
            "update": Users::NAME,
            "updates": updates,
            "ordered": false,
            "writeConcern": { "w": "majority", "j": true },
        };
        let result = self.database.run_command(command).await?;
        // A success for the driver, although a new primary may not know of it. `announce` resolves these rooms.
        if let Some(error) = result.get("writeConcernError") {
            return Err(Error::custom(format!("not kept by a majority: {error}")));
        }
        Ok(result.get_i32("nModified").ok() == Some(wanted))
    }

    async fn who_is_bound(&self, claims: &[Claimed]) -> Result<HashSet<UserId>, Error> {
        let rooms: Vec<Bson> = claims.iter().map(|claim| claim.room.id.to_string().into()).collect();
        let users: Vec<Bson> =
            claims.iter().flat_map(|claim| claim.room.users()).map(|user| user.to_string().into()).collect();
        let bound = doc! { "_id": { "$in": users }, "room": { "$in": rooms } };
        let found = self
            .waiting
            .find(bound)
            .projection(doc! { "queue": 1, "queued_at": 1, "ready_at": 1, "acted": 1, "revision": 1 });
        found.await?.map_ok(|user| user.user).try_collect().await
    }
}

/// Which of many inserts were refused by a unique index; nothing if there was anything else.
fn refused(error: &Error) -> Option<HashSet<usize>> {
    let ErrorKind::InsertMany(insert) = error.kind.as_ref() else { return None };
    let refusals = insert.write_errors.as_ref().filter(|_| insert.write_concern_error.is_none())?;
    let all_duplicates = refusals.iter().all(|refusal| refusal.code == DUPLICATE_KEY);
    all_duplicates.then(|| refusals.iter().map(|refusal| refusal.index).collect())
}

/// The user, as long as nothing has happened to them since they were read.
fn as_read(waiting: &Waiting) -> Document {
    doc! { "_id": waiting.user.to_string(), "revision": waiting.revision }
}

fn binding(waiting: &Waiting, room: &Room) -> Document {
    let paired = doc! { "state": "paired", "queue": waiting.queue.as_str(), "room": room.id.to_string() };
    doc! { "q": as_read(waiting), "u": { "$set": paired, "$inc": { "revision": 1 } } }
}
