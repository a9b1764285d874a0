//! The collection `users`: read and written here and, for pairs, in `matching`. Every write of one user is made on the
//! version that was read, or repeated on the new one.

use crate::{
    domain::{
        leases::Lapses,
        presence::Changed,
        user::{Revision, User},
    },
    store::collection::{ROOMS, TTL_INDEX_DELAY, USERS, conflict_delays, index},
};
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database,
    bson::{DateTime, Document, doc},
    error::{Error, ErrorKind, Result, WriteFailure},
    options::IndexOptions,
};
use proto::{ConnectionStamp, GatewayId, Queue, Register, RoomId, UserId, database::DUPLICATE_KEY};
use serde::Deserialize;
use std::{
    convert::Infallible,
    time::{Duration, SystemTime},
};

/// The collection `users`.
#[derive(Clone)]
pub(crate) struct Users {
    users: Collection<User>,
    ttl: Duration,
}

/// A user before and after a step; the same when nothing was to be written.
pub(crate) struct Step {
    pub(crate) before: User,
    pub(crate) after: User,
}

/// An open register.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OpenConnection {
    #[serde(rename = "_id")]
    pub(crate) user: UserId,
    connection: Register,
}

impl OpenConnection {
    pub(crate) fn stamp(&self) -> &ConnectionStamp {
        &self.connection.stamp
    }
}

impl Users {
    pub(crate) fn new(database: &Database, ttl: Duration) -> Self {
        Self { users: database.collection(USERS), ttl }
    }

    /// All indexes of the collection.
    pub(crate) async fn create_indexes(&self) -> Result<()> {
        let of = |filter: Document| IndexOptions::builder().partial_filter_expression(filter).build();
        let sparse = || IndexOptions::builder().sparse(true).build();
        let ttl = IndexOptions::builder().expire_after(TTL_INDEX_DELAY).build();
        self.users
            .create_indexes([
                // Who can be matched, longest wait first.
                index(
                    doc! { "connection.state": 1, "queued_at": 1, "last_queue_seq": 1 },
                    of(doc! { "state": "waiting" }),
                ),
                // Who has been without a connection for too long.
                index(doc! { "disconnected_at": 1 }, sparse()),
                // Which connections a gateway has, in the order of reconciliation.
                index(doc! { "connection.gateway": 1, "_id": 1 }, of(doc! { "connection.state": "open" })),
                // Whose partner knows that they are not connected.
                index(doc! { "partner_notified": 1 }, of(doc! { "partner_notified": true })),
                // Who is in a room.
                index(doc! { "room": 1 }, sparse()),
                // Which tombstones can be forgotten.
                index(doc! { "erased_at": 1 }, sparse()),
                // The backstop.
                index(doc! { "expires_at": 1 }, ttl),
            ])
            .await?;
        Ok(())
    }

    /// One user; a user without a document is absent.
    pub(crate) async fn get(&self, id: UserId) -> Result<User> {
        let found = self.users.find_one(doc! { "_id": id.to_string() }).await?;
        Ok(found.unwrap_or_else(|| User::absent(id)))
    }

    /// Takes a step with one user, on the newest version.
    pub(crate) async fn step<R>(
        &self,
        id: UserId,
        step: impl Fn(&mut User) -> std::result::Result<Changed, R>,
    ) -> Result<std::result::Result<Step, R>> {
        let mut delays = conflict_delays();
        loop {
            let before = self.get(id).await?;
            let mut after = before.clone();
            match step(&mut after) {
                Err(refusal) => return Ok(Err(refusal)),
                Ok(false) => return Ok(Ok(Step { after: before.clone(), before })),
                Ok(true) => {}
            }
            after.revise(DateTime::from_system_time(SystemTime::now() + self.ttl));
            if self.save(before.revision(), &after).await? {
                return Ok(Ok(Step { before, after }));
            }
            delays.wait().await;
        }
    }

    /// Takes a step that cannot be refused.
    pub(crate) async fn change(&self, id: UserId, step: impl Fn(&mut User) -> Changed) -> Result<Step> {
        match self.step(id, |user| Ok::<_, Infallible>(step(user))).await? {
            Ok(step) => Ok(step),
            Err(never) => match never {},
        }
    }

    /// False if another write came in between.
    async fn save(&self, read: Option<&Revision>, user: &User) -> Result<bool> {
        let Some(read) = read else {
            return match self.users.insert_one(user).await {
                Ok(_) => Ok(true),
                Err(error) if is_duplicate(&error) => Ok(false),
                Err(error) => Err(error),
            };
        };
        let read = doc! { "_id": user.id().to_string(), "revision": read.as_str() };
        Ok(self.users.replace_one(read, user).await?.matched_count == 1)
    }

    /// Candidates for removal: without an open connection since before then, or on a gateway whose lease has lapsed.
    pub(crate) async fn perhaps_gone(&self, then: i64, lapses: &Lapses) -> Result<Vec<User>> {
        let closed = self.all(doc! { "disconnected_at": { "$lte": then } }).await?;
        let lapsed = self.all(open_on(lapses)).await?;
        Ok(closed.into_iter().chain(lapsed).collect())
    }

    /// Candidates for a notification of the partner: what they know may not be what is.
    pub(crate) async fn perhaps_with_partner_to_notify(&self, lapses: &Lapses) -> Result<Vec<User>> {
        let closed = doc! { "disconnected_at": { "$gt": 0 }, "state": "paired", "partner_notified": false };
        let back = doc! { "partner_notified": true, "state": "paired", "connection.state": "open" };
        let mut lapsed = open_on(lapses);
        lapsed.insert("state", "paired");
        lapsed.insert("partner_notified", false);
        let mut found = Vec::new();
        for filter in [closed, back, lapsed] {
            found.extend(self.all(filter).await?);
        }
        Ok(found)
    }

    /// The gateways that have an open register.
    pub(crate) async fn gateways(&self) -> Result<Vec<GatewayId>> {
        let found = self.users.distinct("connection.gateway", doc! { "connection.state": "open" }).await?;
        Ok(found.into_iter().filter_map(|gateway| gateway.as_str()?.parse().ok()).collect())
    }

    /// The open registers of a gateway, ascending by user.
    pub(crate) async fn open_connections(&self, gateway: &GatewayId) -> Result<Vec<OpenConnection>> {
        let open =
            doc! { "connection.gateway": gateway.to_string(), "connection.state": "open", "state": { "$ne": "gone" } };
        let users = self.users.clone_with_type::<OpenConnection>();
        let found = users.find(open).sort(doc! { "_id": 1 }).projection(doc! { "connection": 1 }).batch_size(10_000);
        found.await?.try_collect().await
    }

    /// How many connected users wait in a queue, and since when the first of them, in milliseconds since 1970.
    pub(crate) async fn waiting_in(&self, queue: Queue) -> Result<(u64, Option<i64>)> {
        let waiting = doc! { "state": "waiting", "connection.state": "open", "queue": queue.as_str() };
        let first = self.users.find_one(waiting.clone()).sort(doc! { "queued_at": 1 }).await?;
        let since = first.and_then(|user| user.waiting()).map(|(_, since)| since);
        Ok((self.users.count_documents(waiting).await?, since))
    }

    /// How many there are in each state.
    pub(crate) async fn by_state(&self) -> Result<Vec<(String, u64)>> {
        #[derive(Deserialize)]
        struct Found {
            #[serde(rename = "_id")]
            state: String,
            count: i64,
        }
        let pipeline = [doc! { "$group": { "_id": "$state", "count": { "$sum": 1_i64 } } }];
        let found: Vec<Found> = self.users.aggregate(pipeline).with_type().await?.try_collect().await?;
        Ok(found.into_iter().map(|of| (of.state, u64::try_from(of.count).unwrap_or(0))).collect())
    }

    /// Deletes the tombstones of those who were erased before then.
    pub(crate) async fn forget_erased_before(&self, then: i64) -> Result<()> {
        self.users.delete_many(doc! { "state": "gone", "erased_at": { "$lte": then } }).await.map(drop)
    }

    /// Users in a room that has no document, and users that nothing has written for their whole time to live.
    pub(crate) async fn orphans(&self) -> Result<Vec<(UserId, Option<RoomId>)>> {
        #[derive(Deserialize)]
        struct Found {
            #[serde(rename = "_id")]
            user: UserId,
            room: Option<RoomId>,
        }
        let lookup = doc! { "from": ROOMS, "localField": "room", "foreignField": "_id", "as": "found" };
        let without_room = [
            doc! { "$match": { "state": "paired" } },
            doc! { "$project": { "room": 1 } },
            doc! { "$lookup": lookup },
            doc! { "$match": { "found": [] } },
        ];
        let mut found: Vec<Found> = self.users.aggregate(without_room).with_type().await?.try_collect().await?;
        let users = self.users.clone_with_type::<Found>();
        let expired = doc! { "expires_at": { "$lte": DateTime::now() } };
        found.extend(users.find(expired).projection(doc! { "room": 1 }).await?.try_collect::<Vec<_>>().await?);
        Ok(found.into_iter().map(|found| (found.user, found.room)).collect())
    }

    /// Deletes the document, if it has expired.
    pub(crate) async fn delete_expired(&self, id: UserId) -> Result<()> {
        let expired = doc! { "_id": id.to_string(), "expires_at": { "$lte": DateTime::now() } };
        self.users.delete_one(expired).await.map(drop)
    }

    async fn all(&self, filter: Document) -> Result<Vec<User>> {
        self.users.find(filter).await?.try_collect().await
    }
}

fn open_on(lapses: &Lapses) -> Document {
    let gateways: Vec<String> = lapses.gateways().map(ToString::to_string).collect();
    doc! { "connection.gateway": { "$in": gateways }, "connection.state": "open" }
}

fn is_duplicate(error: &Error) -> bool {
    let ErrorKind::Write(WriteFailure::WriteError(write)) = error.kind.as_ref() else { return false };
    write.code == DUPLICATE_KEY
}
