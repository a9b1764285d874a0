//! The collection `messages`. One method for each question; the caller decides what follows.

use super::{
    schema::{InsertError, indexes, insert_error},
    texts,
};
use crate::domain::{MessageKey, NumberedMessage, page::Page, rooms::RoomSize};
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database,
    bson::{DateTime, doc},
    error::Error,
    options::ReadConcern,
};
use proto::{Message, MessageId, RoomId, notification::History};
use serde::{Deserialize, Serialize};
use std::{
    future::IntoFuture as _,
    time::{Duration, SystemTime},
};
use tracing::{Instrument as _, debug_span};

/// The name of the collection.
pub(super) const NAME: &str = "messages";
/// How many messages of a page MongoDB sends at once: with the longest texts some 800 kB.
const CURSOR_BATCH: u32 = 50;

/// The collection `messages`. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Messages {
    collection: Collection<Message>,
    ttl: Duration,
}

/// A message as it is stored.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    message: &'a Message,
    /// The text of the room up to and including this message, in bytes: the last message shows how much a room holds.
    room_bytes: i64,
    expires_at: DateTime,
}

/// The last message of a room.
#[derive(Deserialize)]
struct LastOfRoom {
    #[serde(rename = "_id")]
    room: RoomId,
    seq: i64,
    #[serde(default)]
    room_bytes: Option<i64>,
}

impl Messages {
    pub(super) fn new(database: &Database, ttl: Duration) -> Self {
        Self { collection: database.collection(NAME), ttl }
    }

    pub(super) async fn create_indexes(&self) -> Result<(), Error> {
        self.collection.create_indexes(indexes()).await.map(drop)
    }

    /// How much each of the rooms holds; those without messages are left out.
    pub(crate) async fn room_sizes(&self, rooms: &[RoomId]) -> Result<Vec<(RoomId, RoomSize)>, Error> {
        if rooms.is_empty() {
            return Ok(Vec::new());
        }
        // One step of the index for each room, however many messages it has.
        let pipeline = [
            doc! {"$match": {"room_id": {"$in": texts(rooms)}}},
            doc! {"$sort": {"room_id": -1, "seq": -1}},
            doc! {"$group": {"_id": "$room_id", "seq": {"$first": "$seq"}, "room_bytes": {"$first": "$room_bytes"}}},
        ];
        // As the primary has it: what follows a message that is lost is lost with it.
        let found = self.collection.aggregate(pipeline).read_concern(ReadConcern::local()).with_type::<LastOfRoom>();
        let found: Vec<LastOfRoom> = found.await?.try_collect().await?;
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        let size = |last: &LastOfRoom| RoomSize {
            last_seq: unsigned(last.seq),
            bytes: unsigned(last.room_bytes.unwrap_or_default()),
        };
        Ok(found.iter().map(|last| (last.room, size(last))).collect())
    }

    /// Those of the messages that are stored, at the majority.
    pub(crate) async fn stored(&self, keys: &[MessageKey]) -> Result<Vec<Message>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let one = |key: &MessageKey| {
            let MessageKey { room, author, nonce } = key;
            doc! {"room_id": room.to_string(), "author": author.to_string(), "nonce": nonce}
        };
        let filter = doc! {"$or": keys.iter().map(one).collect::<Vec<_>>()};
        self.collection.find(filter).await?.try_collect().await
    }

    /// Stores messages in this order. It stops at the first that fails: a sequence that is free is never followed by one
    /// that is taken.
    pub(crate) async fn insert(&self, messages: &[NumberedMessage]) -> Result<(), InsertError> {
        if messages.is_empty() {
            return Ok(());
        }
        let expires_at = DateTime::from_system_time(SystemTime::now() + self.ttl);
        let documents = messages.iter().map(|NumberedMessage { message, room_bytes }| {
            let room_bytes = i64::try_from(*room_bytes).unwrap_or(i64::MAX);
            Document { message, room_bytes, expires_at }
        });
        let span = debug_span!(
            "insert",
            otel.kind = "client",
            db.system.name = "mongodb",
            db.collection.name = NAME,
            db.operation.batch.size = messages.len(),
        );
        let collection = self.collection.clone_with_type::<Document<'_>>();
        let inserting = collection.insert_many(documents).ordered(true).into_future();
        inserting.instrument(span).await.map(drop).map_err(insert_error)
    }

    /// Those of the messages that exist, as the primary has them.
    pub(crate) async fn find(&self, messages: &[MessageId]) -> Result<Vec<Message>, Error> {
        let filter = doc! {"_id": {"$in": texts(messages)}};
        self.collection.find(filter).read_concern(ReadConcern::local()).await?.try_collect().await
    }

    /// Marks messages as liked.
    pub(crate) async fn like(&self, messages: &[MessageId]) -> Result<(), Error> {
        if messages.is_empty() {
            return Ok(());
        }
        let filter = doc! {"_id": {"$in": texts(messages)}};
        self.collection.update_many(filter, doc! {"$set": {"liked": true}}).await.map(drop)
    }

    /// Deletes all messages of these rooms, and returns how many there were.
    pub(crate) async fn erase(&self, rooms: &[RoomId]) -> Result<u64, Error> {
        if rooms.is_empty() {
            return Ok(0);
        }
        let deleted = self.collection.delete_many(doc! {"room_id": {"$in": texts(rooms)}}).await?;
        Ok(deleted.deleted_count)
    }

    /// The messages of a room after this sequence, ascending, as many as fit one page.
    pub(crate) async fn page(&self, room: RoomId, after_seq: u64) -> Result<History, Error> {
        let after_seq = i64::try_from(after_seq).unwrap_or(i64::MAX);
        let filter = doc! {"room_id": room.to_string(), "seq": {"$gt": after_seq}};
        let mut found = self.collection.find(filter).sort(doc! {"seq": 1}).batch_size(CURSOR_BATCH).await?;
        let mut page = Page::default();
        while let Some(message) = found.try_next().await?
            && page.add(message)
        {}
        Ok(page.finish())
    }

    /// Every room that has messages.
    pub(crate) async fn rooms(&self) -> Result<Vec<RoomId>, Error> {
        let pipeline = [
            doc! {"$sort": {"room_id": -1, "seq": -1}},
            doc! {"$group": {"_id": "$room_id", "seq": {"$first": "$seq"}}},
        ];
        let found = self.collection.aggregate(pipeline).with_type::<LastOfRoom>();
        let found: Vec<LastOfRoom> = found.await?.try_collect().await?;
        Ok(found.into_iter().map(|last| last.room).collect())
    }
}
