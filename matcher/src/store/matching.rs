//! Candidates, and turning a plan into rooms, in two steps of single documents: a room is inserted, where the unique
//! index refuses users in an open one; then its two users are bound to it, if their versions are those that were read.
//! Two leaders at once do no harm.
//!
//! Not a transaction: one that a killed matcher leaves open locks its users until MongoDB gives it up; measured: 89 s in
//! which they could neither be matched nor leave. What a crash leaves between the two steps is a room that was never
//! announced, which `rooms::announce` resolves.

use crate::{
    domain::{
        pairing::{Candidate, Pair},
        room::Room,
        user::Revision,
    },
    metrics::MATCH_CONFLICTS,
    store::collection::{ROOMS, USERS},
};
use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database,
    bson::{Bson, Document, doc},
    error::{Error, ErrorKind},
};
use proto::{Queue, UserId, database::DUPLICATE_KEY};
use serde::Deserialize;
use std::{collections::HashSet, time::Duration};

/// Reads candidates and claims pairs of them.
#[derive(Clone)]
pub(crate) struct Matching {
    database: Database,
    candidates: Collection<Candidate>,
    rooms: Collection<Room>,
    ttl: Duration,
}

/// A pair, and the room created for it.
pub(crate) struct Claim {
    pub(crate) pair: Pair,
    pub(crate) room: Room,
}

/// What came of the pairs; those with a user who is in another room by now are left out.
pub(crate) struct Outcome {
    /// Both are bound to their room.
    pub(crate) matched: Vec<Claim>,
    /// One changed in between: the room is to be closed.
    pub(crate) conflicted: Vec<Room>,
}

impl Matching {
    pub(crate) fn new(database: &Database, ttl: Duration) -> Self {
        let (candidates, rooms) = (database.collection(USERS), database.collection(ROOMS));
        Self { database: database.clone(), candidates, rooms, ttl }
    }

    /// Waiting users whose register is open, longest wait first.
    pub(crate) async fn candidates(&self) -> anyhow::Result<Vec<Candidate>> {
        let waiting = doc! { "state": "waiting", "connection.state": "open" };
        let fields =
            doc! { "queue": 1, "queued_at": 1, "ready_at": 1, "last_queue_seq": 1, "revision": 1, "connection": 1 };
        let found = self
            .candidates
            .find(waiting)
            .sort(doc! { "queued_at": 1, "last_queue_seq": 1 })
            .projection(fields)
            .batch_size(10_000);
        found.await.context("reading candidates")?.try_collect().await.context("reading candidates")
    }

    /// Moves a candidate to talk; false if their version is another one by now.
    pub(crate) async fn move_to_talk(&self, moved: &Candidate) -> anyhow::Result<bool> {
        let update = doc! { "$set": { "queue": Queue::Talk.as_str(), "revision": Revision::new().as_str() } };
        let result = self.candidates.update_one(as_read(moved), update).await.context("moving to talk")?;
        Ok(result.matched_count == 1)
    }

    /// Creates a room for each pair and binds the two to it.
    pub(crate) async fn claim(&self, pairs: Vec<Pair>, now: i64) -> anyhow::Result<Outcome> {
        let claims = pairs.into_iter().map(|pair| Claim { room: Room::new(&pair, now, self.ttl), pair }).collect();
        let claims = self.insert(claims).await.context("creating rooms")?;
        if self.bind(&claims).await.context("binding to rooms")? {
            return Ok(Outcome { matched: claims, conflicted: Vec::new() });
        }
        let bound = self.bound(&claims).await.context("reading who is bound")?;
        let both = |claim: &Claim| claim.room.users().iter().all(|user| bound.contains(user));
        let (matched, conflicted): (Vec<_>, Vec<_>) = claims.into_iter().partition(both);
        metrics::counter!(MATCH_CONFLICTS).increment(conflicted.len() as u64);
        Ok(Outcome { matched, conflicted: conflicted.into_iter().map(|claim| claim.room).collect() })
    }

    /// Inserts the rooms, and returns those that the index did not refuse.
    async fn insert(&self, mut claims: Vec<Claim>) -> Result<Vec<Claim>, Error> {
        if claims.is_empty() {
            return Ok(claims);
        }
        match self.rooms.insert_many(claims.iter().map(|claim| &claim.room)).ordered(false).await {
            Ok(_) => Ok(claims),
            Err(error) => {
                let refused = refused(&error).ok_or(error)?;
                metrics::counter!(MATCH_CONFLICTS).increment(refused.len() as u64);
                let mut index = 0..;
                claims.retain(|_| index.next().is_some_and(|index| !refused.contains(&index)));
                Ok(claims)
            }
        }
    }

    /// Binds all users to their rooms; false if the version of any of them is another one by now.
    async fn bind(&self, claims: &[Claim]) -> Result<bool, Error> {
        if claims.is_empty() {
            return Ok(true);
        }
        let members = claims.iter().flat_map(|claim| claim.pair.iter().map(move |candidate| (candidate, &claim.room)));
        let updates: Vec<Bson> = members.map(|(candidate, room)| binding(candidate, room).into()).collect();
        let wanted = i32::try_from(updates.len()).unwrap_or(i32::MAX);
        let command = doc! {
            "update": USERS,
            "updates": updates,
            "ordered": false,
            "writeConcern": { "w": "majority", "j": true },
        };
        let result = self.database.run_command(command).await?;
        // A success for the driver, although a new primary may not have it. `rooms::announce` resolves these rooms.
        if let Some(error) = result.get("writeConcernError") {
            return Err(Error::custom(format!("not acknowledged by a majority: {error}")));
        }
        Ok(result.get_i32("nModified").ok() == Some(wanted))
    }

    async fn bound(&self, claims: &[Claim]) -> Result<HashSet<UserId>, Error> {
        #[derive(Deserialize)]
        struct Found {
            #[serde(rename = "_id")]
            user: UserId,
        }
        let rooms: Vec<Bson> = claims.iter().map(|claim| claim.room.id().to_string().into()).collect();
        let users = self.candidates.clone_with_type::<Found>();
        let found = users.find(doc! { "room": { "$in": rooms } }).projection(doc! { "_id": 1 });
        found.await?.map_ok(|found| found.user).try_collect().await
    }
}

/// Which of many inserts were refused by a unique index; none if there was any other error.
fn refused(error: &Error) -> Option<HashSet<usize>> {
    let ErrorKind::InsertMany(insert) = error.kind.as_ref() else { return None };
    let refusals = insert.write_errors.as_ref().filter(|_| insert.write_concern_error.is_none())?;
    let all_duplicates = refusals.iter().all(|refusal| refusal.code == DUPLICATE_KEY);
    all_duplicates.then(|| refusals.iter().map(|refusal| refusal.index).collect())
}

/// The user, in the version that was read.
fn as_read(candidate: &Candidate) -> Document {
    doc! { "_id": candidate.user.to_string(), "revision": candidate.revision.as_str() }
}

fn binding(candidate: &Candidate, room: &Room) -> Document {
    let paired = doc! {
        "state": "paired",
        "queue": candidate.queue.as_str(),
        "room": room.id().to_string(),
        "revision": Revision::new().as_str(),
    };
    doc! { "q": as_read(candidate), "u": { "$set": paired } }
}
