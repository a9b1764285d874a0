//! The collection `messages`, which only the chat-store writes, and a look at the matcher's
//! `rooms`. One method for each question; whoever asks decides what follows.

use crate::{
    config::Config,
    schema::{InsertError, indexes, why_not_inserted},
};
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database,
    bson::{DateTime, doc},
    error::Error,
    options::{CollectionOptions, ReadConcern},
};
use proto::{
    Message, MessageId, RoomId, UserId,
    database::{create_collection, needed},
    health::Needed,
};
use serde::{Deserialize, Serialize};
use std::{
    future::IntoFuture as _,
    time::{Duration, SystemTime},
};
use tracing::{Instrument as _, debug_span};

/// A room as the matcher wrote it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Room {
    #[serde(rename = "_id")]
    pub(crate) id: RoomId,
    pub(crate) members: Vec<Member>,
    pub(crate) open: bool,
}

/// One of the two of a room.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) user: UserId,
}

/// What makes two messages the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) room: RoomId,
    pub(crate) author: UserId,
    pub(crate) nonce: String,
}

impl From<&Message> for Key {
    fn from(message: &Message) -> Self {
        Self { room: message.room_id, author: message.author, nonce: message.nonce.clone() }
    }
}

/// The messages in MongoDB. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    database: Database,
    messages: Collection<Message>,
    rooms: Collection<Room>,
    ttl: Duration,
}

#[derive(Serialize)]
struct Stored<'a> {
    #[serde(flatten)]
    message: &'a Message,
    expires_at: DateTime,
}

#[derive(Deserialize)]
struct OfRoom {
    #[serde(rename = "_id")]
    room: RoomId,
    last: i64,
}

impl Store {
    /// Over a client that connects when it is first used.
    ///
    /// # Errors
    /// When `MONGODB_URI` is not an address.
    pub async fn new(config: &Config) -> anyhow::Result<Self> {
        let database = config.mongodb.database("chat-store").await?;
        let as_the_primary_has_them = CollectionOptions::builder().read_concern(ReadConcern::local()).build();
        Ok(Self {
            messages: database.collection("messages"),
            rooms: database.collection_with_options("rooms", as_the_primary_has_them),
            database,
            ttl: config.message_ttl,
        })
    }

    /// Makes the collection and its indexes, if they are not there.
    ///
    /// # Errors
    /// When MongoDB does not answer.
    pub async fn prepare(&self) -> Result<(), Error> {
        create_collection(&self.database, self.messages.name()).await?;
        self.messages.create_indexes(indexes()).await.map(drop)
    }

    /// What nothing here works without.
    pub(crate) fn needed(&self) -> Needed {
        needed(&self.database)
    }

    /// Those of the rooms that exist. As the primary has them: one that was just elected has all
    /// that the majority had, but does not know so yet, and a room must not be missed.
    pub(crate) async fn rooms(&self, rooms: &[RoomId]) -> Result<Vec<Room>, Error> {
        let projection = doc! {"members.user": 1, "open": 1};
        self.rooms.find(doc! {"_id": {"$in": texts(rooms)}}).projection(projection).await?.try_collect().await
    }

    /// The last place that is taken in each of the rooms; those without messages are left out.
    pub(crate) async fn last_places(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, u64)>, Error> {
        // One step of the index for each room, however many messages it has.
        let pipeline = [
            doc! {"$match": {"room_id": {"$in": texts(rooms)}}},
            doc! {"$sort": {"room_id": -1, "seq": -1}},
            doc! {"$group": {"_id": "$room_id", "last": {"$first": "$seq"}}},
        ];
        // As the primary has it: what follows a place that is lost is lost with it.
        let found = self.messages.aggregate(pipeline).read_concern(ReadConcern::local()).with_type::<OfRoom>();
        let found: Vec<OfRoom> = found.await?.try_collect().await?;
        Ok(found.into_iter().map(|of| (of.room, u64::try_from(of.last).unwrap_or(0))).collect())
    }

    /// Those of the messages that are stored already, at the majority.
    pub(crate) async fn stored(&self, keys: &[Key]) -> Result<Vec<Message>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let one =
            |key: &Key| doc! {"room_id": key.room.to_string(), "author": key.author.to_string(), "nonce": &key.nonce};
        let filter = doc! {"$or": keys.iter().map(one).collect::<Vec<_>>()};
        self.messages.find(filter).await?.try_collect().await
    }

    /// Stores messages in this order. At the first that fails it stops: a place that is not
    /// taken is never followed by one that is.
    pub(crate) async fn insert(&self, messages: &[Message]) -> Result<(), InsertError> {
        if messages.is_empty() {
            return Ok(());
        }
        let expires_at = DateTime::from_system_time(SystemTime::now() + self.ttl);
        let rows = messages.iter().map(|message| Stored { message, expires_at });
        let span = debug_span!(
            "insert",
            otel.kind = "client",
            db.system.name = "mongodb",
            db.collection.name = "messages",
            db.operation.batch.size = messages.len(),
        );
        let messages = self.messages.clone_with_type::<Stored<'_>>();
        let inserting = messages.insert_many(rows).ordered(true).into_future();
        inserting.instrument(span).await.map(drop).map_err(why_not_inserted)
    }

    /// Those of the messages that exist, as the primary has them.
    pub(crate) async fn messages(&self, messages: &[MessageId]) -> Result<Vec<Message>, Error> {
        let which = doc! {"_id": {"$in": texts(messages)}};
        self.messages.find(which).read_concern(ReadConcern::local()).await?.try_collect().await
    }

    /// Marks messages as liked.
    pub(crate) async fn like(&self, messages: &[MessageId]) -> Result<(), Error> {
        if messages.is_empty() {
            return Ok(());
        }
        let which = doc! {"_id": {"$in": texts(messages)}};
        self.messages.update_many(which, doc! {"$set": {"liked": true}}).await.map(drop)
    }

    /// Deletes all messages of these rooms, and counts them.
    pub(crate) async fn erase(&self, rooms: &[RoomId]) -> Result<u64, Error> {
        if rooms.is_empty() {
            return Ok(0);
        }
        let deleted = self.messages.delete_many(doc! {"room_id": {"$in": texts(rooms)}}).await?;
        Ok(deleted.deleted_count)
    }

    /// What comes after a place in a room, ascending.
    pub(crate) async fn page(&self, room: RoomId, after: u64, limit: usize) -> Result<Vec<Message>, Error> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let which = doc! {"room_id": room.to_string(), "seq": {"$gt": after}};
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.messages.find(which).sort(doc! {"seq": 1}).limit(limit).await?.try_collect().await
    }

    /// Keeps the messages of these rooms from expiring, where they are half-way there.
    pub(crate) async fn put_off_backstop(&self, rooms: &[RoomId]) -> Result<(), Error> {
        let now = SystemTime::now();
        let near = doc! {"$lt": DateTime::from_system_time(now + self.ttl / 2)};
        let later = doc! {"expires_at": DateTime::from_system_time(now + self.ttl)};
        let which = doc! {"room_id": {"$in": texts(rooms)}, "expires_at": near};
        self.messages.update_many(which, doc! {"$set": later}).await.map(drop)
    }

    /// Every room that has messages.
    pub(crate) async fn rooms_with_messages(&self) -> Result<Vec<RoomId>, Error> {
        let pipeline = [
            doc! {"$sort": {"room_id": -1, "seq": -1}},
            doc! {"$group": {"_id": "$room_id", "last": {"$first": "$seq"}}},
        ];
        let found: Vec<OfRoom> = self.messages.aggregate(pipeline).with_type::<OfRoom>().await?.try_collect().await?;
        Ok(found.into_iter().map(|of| of.room).collect())
    }
}

fn texts<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
