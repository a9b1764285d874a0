//! The collection `users`: read and written here and, for pairs, in `claims`. Every write of a
//! single user is made on the revision that was read, or is made anew.

use crate::user::{Changed, User};
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{Bson, DateTime, Document, doc},
    error::{Error, ErrorKind, Result, WriteFailure},
    options::IndexOptions,
};
use proto::{Queue, UserId, database::DUPLICATE_KEY};
use serde::Deserialize;
use std::{collections::HashSet, convert::Infallible, time::Duration};

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

impl Users {
    pub(crate) const NAME: &'static str = "users";

    pub(crate) fn new(database: &Database, ttl: Duration) -> Self {
        Self { users: database.collection(Self::NAME), ttl }
    }

    /// All indexes of the collection.
    pub(crate) async fn create_indexes(&self) -> Result<()> {
        let index = |keys: Document, options: IndexOptions| IndexModel::builder().keys(keys).options(options).build();
        let of = |filter: Document| IndexOptions::builder().partial_filter_expression(filter).build();
        let sparse = IndexOptions::builder().sparse(true).build();
        let ttl = IndexOptions::builder().expire_after(Duration::ZERO).build();
        self.users
            .create_indexes([
                // Who waits, longest first.
                index(doc! { "connected": 1, "queued_at": 1, "acted": 1 }, of(doc! { "state": "waiting" })),
                // Who is away too long.
                index(doc! { "gone_at": 1 }, of(doc! { "connected": false })),
                // Who is connected to a gateway, and to which gateways anybody is.
                index(doc! { "gateway": 1 }, of(doc! { "connected": true })),
                // Which erased users may be forgotten.
                index(doc! { "erased_at": 1 }, of(doc! { "state": "gone" })),
                // Whose partner is to be told of a drained connection.
                index(doc! { "tell_partner_at": 1 }, sparse),
                // The backstop.
                index(doc! { "expires_at": 1 }, ttl),
            ])
            .await?;
        Ok(())
    }

    /// One user; somebody without a document is absent.
    pub(crate) async fn get(&self, id: UserId) -> Result<User> {
        let found = self.users.find_one(doc! { "_id": id.to_string() }).await?;
        Ok(found.unwrap_or_else(|| User::absent(id)))
    }

    /// Takes a step with one user, on the newest document.
    pub(crate) async fn step<R>(
        &self,
        id: UserId,
        step: impl Fn(&mut User) -> std::result::Result<Changed, R>,
    ) -> Result<std::result::Result<Step, R>> {
        loop {
            let before = self.get(id).await?;
            let mut after = before.clone();
            match step(&mut after) {
                Err(refusal) => return Ok(Err(refusal)),
                Ok(false) => return Ok(Ok(Step { after: before.clone(), before })),
                Ok(true) => {}
            }
            after.revision += 1;
            after.expires_at = self.expiry();
            if self.save(before.revision, &after).await? {
                return Ok(Ok(Step { before, after }));
            }
        }
    }

    /// Takes a step that cannot be refused.
    pub(crate) async fn change(&self, id: UserId, step: impl Fn(&mut User) -> Changed) -> Result<Step> {
        match self.step(id, |user| Ok::<_, Infallible>(step(user))).await? {
            Ok(step) => Ok(step),
            Err(never) => match never {},
        }
    }

    /// False if somebody else has written in between.
    async fn save(&self, revision: i64, user: &User) -> Result<bool> {
        if revision == 0 {
            return match self.users.insert_one(user).await {
                Ok(_) => Ok(true),
                Err(error) if is_duplicate(&error) => Ok(false),
                Err(error) => Err(error),
            };
        }
        let read = doc! { "_id": user.id.to_string(), "revision": revision };
        Ok(self.users.replace_one(read, user).await?.matched_count == 1)
    }

    fn expiry(&self) -> DateTime {
        DateTime::from_system_time(std::time::SystemTime::now() + self.ttl)
    }

    /// Who has been without a connection since before then, and is not erased.
    pub(crate) async fn away_since(&self, then: i64) -> Result<Vec<User>> {
        self.all(doc! { "connected": false, "gone_at": { "$lte": then } }).await
    }

    /// Whose partner is to be told of a drained connection by now.
    pub(crate) async fn with_partner_to_tell(&self, now: i64) -> Result<Vec<User>> {
        self.all(doc! { "tell_partner_at": { "$lte": now } }).await
    }

    /// How many wait in a queue with a connection, and since when the first of them, in
    /// milliseconds since 1970.
    pub(crate) async fn waiting_in(&self, queue: Queue) -> Result<(u64, Option<i64>)> {
        let waiting = doc! { "state": "waiting", "connected": true, "queue": queue.as_str() };
        let first = self.users.find_one(waiting.clone()).sort(doc! { "queued_at": 1 }).await?;
        Ok((self.users.count_documents(waiting).await?, first.map(|user| user.queued_at)))
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

    /// Who is connected to this gateway.
    pub(crate) async fn on_gateway(&self, gateway: &str) -> Result<Vec<User>> {
        self.all(doc! { "connected": true, "gateway": gateway }).await
    }

    /// Gateways that anybody is connected to.
    pub(crate) async fn gateways(&self) -> Result<Vec<String>> {
        let found = self.users.distinct("gateway", doc! { "connected": true }).await?;
        Ok(found.into_iter().filter_map(|gateway| gateway.as_str().map(ToOwned::to_owned)).collect())
    }

    /// Forgets those who were erased before then.
    pub(crate) async fn forget_erased_before(&self, then: i64) -> Result<u64> {
        let erased = doc! { "state": "gone", "erased_at": { "$lte": then } };
        Ok(self.users.delete_many(erased).await?.deleted_count)
    }

    /// Removes whom the backstop is about to remove.
    pub(crate) async fn remove_expired(&self) -> Result<u64> {
        let expired = doc! { "expires_at": { "$lte": DateTime::now() } };
        Ok(self.users.delete_many(expired).await?.deleted_count)
    }

    /// Puts the backstop off for those who are connected and near it.
    pub(crate) async fn put_off_backstop(&self) -> Result<()> {
        let soon = DateTime::from_system_time(std::time::SystemTime::now() + self.ttl / 2);
        let later = doc! { "$set": { "expires_at": self.expiry() } };
        self.users.update_many(doc! { "expires_at": { "$lt": soon }, "connected": true }, later).await?;
        Ok(())
    }

    /// Who of these is connected.
    pub(crate) async fn connected_of(&self, users: impl Iterator<Item = UserId>) -> Result<HashSet<UserId>> {
        let ids: Vec<Bson> = users.map(|user| user.to_string().into()).collect();
        let found = self.all(doc! { "_id": { "$in": ids }, "connected": true }).await?;
        Ok(found.into_iter().map(|user| user.id).collect())
    }

    async fn all(&self, filter: Document) -> Result<Vec<User>> {
        self.users.find(filter).await?.try_collect().await
    }
}

fn is_duplicate(error: &Error) -> bool {
    let ErrorKind::Write(WriteFailure::WriteError(write)) = error.kind.as_ref() else { return false };
    write.code == DUPLICATE_KEY
}
