//! The collection `rooms`: read and written here and, when they are created, in `matching`.

use crate::{
    domain::room::{Closing, Entered, Room},
    store::collection::{ROOMS, TTL_INDEX_DELAY, USERS, index},
};
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database,
    bson::{Bson, DateTime, Document, doc},
    error::Result,
    options::{IndexOptions, ReturnDocument},
};
use proto::{RoomId, UserId};

/// The collection `rooms`.
#[derive(Clone)]
pub(crate) struct Rooms {
    rooms: Collection<Room>,
}

impl Rooms {
    pub(crate) fn new(database: &Database) -> Self {
        Self { rooms: database.collection(ROOMS) }
    }

    /// All indexes of the collection.
    pub(crate) async fn create_indexes(&self) -> Result<()> {
        let one_open_room =
            IndexOptions::builder().unique(true).partial_filter_expression(doc! { "open": true }).build();
        let ttl = IndexOptions::builder().expire_after(TTL_INDEX_DELAY).build();
        self.rooms
            .create_indexes([
                // Promise 1: no user is in two open rooms.
                index(doc! { "members.user": 1 }, one_open_room),
                // Which are to be announced, or whose close is to be completed.
                index(doc! { "open": 1, "started": 1, "announced_at": 1 }, IndexOptions::default()),
                // The backstop.
                index(doc! { "expires_at": 1 }, ttl),
            ])
            .await?;
        Ok(())
    }

    pub(crate) async fn get(&self, id: RoomId) -> Result<Option<Room>> {
        self.rooms.find_one(doc! { "_id": id.to_string() }).await
    }

    /// The room, unless it is closed.
    pub(crate) async fn open(&self, id: RoomId) -> Result<Option<Room>> {
        Ok(self.get(id).await?.filter(Room::is_open))
    }

    /// Marks a member as entered, and the room as started when both have; none if it is closed.
    pub(crate) async fn enter(&self, id: RoomId, user: UserId) -> Result<Option<Entered>> {
        let entered = doc! { "$or": ["$$member.entered", { "$eq": ["$$member.user", user.to_string()] }] };
        let members = doc! { "$map": {
            "input": "$members",
            "as": "member",
            "in": { "$mergeObjects": ["$$member", { "entered": entered }] },
        } };
        let update = vec![
            doc! { "$set": { "members": members } },
            doc! { "$set": { "started": { "$allElementsTrue": ["$members.entered"] } } },
        ];
        let open = doc! { "_id": id.to_string(), "open": true };
        // The version before the update shows whether this was the first time.
        let before = self.rooms.find_one_and_update(open, update).return_document(ReturnDocument::Before).await?;
        Ok(before.map(|room| room.enter(user)))
    }

    /// Marks the room as closed if it is open and its members have entered or not as `room` has it; false if not.
    pub(crate) async fn mark_closed(&self, room: &Room, closing: &Closing) -> Result<bool> {
        let members = mongodb::bson::serialize_to_bson(room.members())?;
        let as_read =
            doc! { "_id": room.id().to_string(), "open": true, "started": room.started(), "members": members };
        let closing = mongodb::bson::serialize_to_document(closing)?;
        let update = doc! { "$set": { "open": false, "closing": closing } };
        Ok(self.rooms.update_one(as_read, update).await?.matched_count == 1)
    }

    /// How many are open.
    pub(crate) async fn count_open(&self) -> Result<u64> {
        self.rooms.count_documents(doc! { "open": true }).await
    }

    /// Deletes the document.
    pub(crate) async fn delete(&self, id: RoomId) -> Result<()> {
        self.rooms.delete_one(doc! { "_id": id.to_string() }).await.map(drop)
    }

    /// Remembers that the members of these rooms were notified of the match.
    pub(crate) async fn mark_announced(&self, rooms: &[Room], now: i64) -> Result<()> {
        let ids: Vec<Bson> = rooms.iter().map(|room| room.id().to_string().into()).collect();
        let update = doc! { "$set": { "announced_at": now } };
        self.rooms.update_many(doc! { "_id": { "$in": ids } }, update).await.map(drop)
    }

    /// Rooms created before then whose members were never notified.
    pub(crate) async fn never_announced(&self, created_before: i64) -> Result<Vec<Room>> {
        let created = doc! { "$lte": created_before };
        self.all(doc! { "open": true, "started": false, "announced_at": null, "created_at": created }).await
    }

    /// Rooms created after the one time and announced before the other that have not started.
    pub(crate) async fn not_entered(&self, created_after: i64, announced_before: i64) -> Result<Vec<Room>> {
        let (created, announced) = (doc! { "$gt": created_after }, doc! { "$lte": announced_before });
        self.all(doc! { "open": true, "started": false, "announced_at": announced, "created_at": created }).await
    }

    /// Rooms created before then that have not started.
    pub(crate) async fn not_entered_in_time(&self, created_before: i64) -> Result<Vec<Room>> {
        self.all(doc! { "open": true, "started": false, "created_at": { "$lte": created_before } }).await
    }

    /// Rooms that were closed before then and still exist.
    pub(crate) async fn closed_before(&self, then: i64) -> Result<Vec<Room>> {
        self.all(doc! { "open": false, "closing.at": { "$lte": then } }).await
    }

    /// Open rooms that are too old, and those created before then whose members are not both in them.
    pub(crate) async fn orphans(&self, created_before: i64) -> Result<Vec<Room>> {
        let mut found = self.all(doc! { "open": true, "expires_at": { "$lte": DateTime::now() } }).await?;
        let lookup = doc! { "from": USERS, "localField": "_id", "foreignField": "room", "as": "found" };
        let pipeline = [
            doc! { "$match": { "open": true, "announced_at": { "$ne": null }, "created_at": { "$lte": created_before } } },
            doc! { "$lookup": lookup },
            doc! { "$match": { "found.1": { "$exists": false } } },
            doc! { "$unset": "found" },
        ];
        found.extend(self.rooms.aggregate(pipeline).with_type().await?.try_collect::<Vec<Room>>().await?);
        Ok(found)
    }

    async fn all(&self, filter: Document) -> Result<Vec<Room>> {
        self.rooms.find(filter).await?.try_collect().await
    }
}
