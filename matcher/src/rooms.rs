//! The collection `rooms`: read and written here and, when they are made, in `claims`.

use crate::pairing::{Pair, Waiting};
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{Bson, DateTime, Document, doc},
    error::Result,
    options::{IndexOptions, ReturnDocument},
};
use proto::{Queue, RoomId, RoomView, UserId, events::EndReason};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// A document of `rooms`. Times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Room {
    #[serde(rename = "_id")]
    pub(crate) id: RoomId,
    /// The one who waited longer first.
    pub(crate) members: [Member; 2],
    pub(crate) open: bool,
    /// Both have joined.
    pub(crate) begun: bool,
    pub(crate) created_at: i64,
    /// When the two were last told; nothing while they were never told.
    pub(crate) announced_at: Option<i64>,
    /// Set with `open: false`: how to finish it, also after a crash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closing: Option<Closing>,
    /// When MongoDB removes it by itself.
    pub(crate) expires_at: DateTime,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) user: UserId,
    pub(crate) queue: Queue,
    pub(crate) queued_at: i64,
    /// Has entered.
    pub(crate) joined: bool,
}

/// How a room comes to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Closing {
    /// What those are told who are erased with it.
    pub(crate) reason: EndReason,
    /// Who goes back to the queue: the conversation had not begun.
    pub(crate) back: Vec<UserId>,
    pub(crate) at: i64,
}

/// A room that somebody has entered.
pub(crate) struct Joined {
    /// As it is with that.
    pub(crate) room: Room,
    /// They had not entered it before.
    pub(crate) first: bool,
}

impl Room {
    pub(crate) fn of(pair: &Pair, now: i64, ttl: Duration) -> Self {
        let member = |w: &Waiting| Member { user: w.user, queue: w.queue, queued_at: w.queued_at, joined: false };
        Self {
            id: RoomId::new(),
            members: pair.each_ref().map(member),
            open: true,
            begun: false,
            created_at: now,
            announced_at: None,
            closing: None,
            expires_at: DateTime::from_system_time(SystemTime::now() + ttl),
        }
    }

    pub(crate) fn users(&self) -> [UserId; 2] {
        self.members.each_ref().map(|member| member.user)
    }

    /// The other one.
    pub(crate) fn partner_of(&self, user: UserId) -> UserId {
        let [first, second] = self.users();
        if user == first { second } else { first }
    }

    /// What the entrance of a member makes of it.
    fn joined_by(mut self, user: UserId) -> Joined {
        let mut entering = self.members.iter_mut().filter(|member| member.user == user);
        let first = entering.next().is_some_and(|member| !std::mem::replace(&mut member.joined, true));
        self.begun = self.members.iter().all(|member| member.joined);
        Joined { room: self, first }
    }

    /// The room from one member's side.
    pub(crate) fn view(&self, user: UserId, partner_connected: bool) -> RoomView {
        RoomView {
            room: self.id,
            partner: self.partner_of(user),
            joined: self.members.iter().any(|member| member.user == user && member.joined),
            begun: self.begun,
            partner_connected,
        }
    }
}

/// The collection `rooms`.
#[derive(Clone)]
pub(crate) struct Rooms {
    rooms: Collection<Room>,
    ttl: Duration,
}

impl Rooms {
    pub(crate) const NAME: &'static str = "rooms";

    pub(crate) fn new(database: &Database, ttl: Duration) -> Self {
        Self { rooms: database.collection(Self::NAME), ttl }
    }

    /// All indexes of the collection.
    pub(crate) async fn create_indexes(&self) -> Result<()> {
        let index = |keys: Document, options: IndexOptions| IndexModel::builder().keys(keys).options(options).build();
        let one_open_room =
            IndexOptions::builder().unique(true).partial_filter_expression(doc! { "open": true }).build();
        let ttl = IndexOptions::builder().expire_after(Duration::ZERO).build();
        self.rooms
            .create_indexes([
                // Nobody is in two open rooms.
                index(doc! { "members.user": 1 }, one_open_room),
                // Which are to be announced, or finished.
                index(doc! { "open": 1, "begun": 1, "announced_at": 1 }, IndexOptions::default()),
                // The backstop.
                index(doc! { "expires_at": 1 }, ttl),
            ])
            .await?;
        Ok(())
    }

    pub(crate) async fn get(&self, id: RoomId) -> Result<Option<Room>> {
        self.rooms.find_one(doc! { "_id": id.to_string() }).await
    }

    /// The room, unless it is over.
    pub(crate) async fn open(&self, id: RoomId) -> Result<Option<Room>> {
        Ok(self.get(id).await?.filter(|room| room.open))
    }

    /// Marks a member as joined, and the room as begun when both have; nothing if it is over.
    pub(crate) async fn join(&self, id: RoomId, user: UserId) -> Result<Option<Joined>> {
        let joined = doc! { "$or": ["$$member.joined", { "$eq": ["$$member.user", user.to_string()] }] };
        let members = doc! { "$map": {
            "input": "$members",
            "as": "member",
            "in": { "$mergeObjects": ["$$member", { "joined": joined }] },
        } };
        let update = vec![
            doc! { "$set": { "members": members } },
            doc! { "$set": { "begun": { "$allElementsTrue": ["$members.joined"] } } },
        ];
        let open = doc! { "_id": id.to_string(), "open": true };
        // As it was before, which tells whether this was the first time.
        let before = self.rooms.find_one_and_update(open, update).return_document(ReturnDocument::Before).await?;
        Ok(before.map(|room| room.joined_by(user)))
    }

    /// Closes the room if it is open and its members have entered or not as `room` says; false if not.
    pub(crate) async fn close(&self, room: &Room, closing: &Closing) -> Result<bool> {
        let members = mongodb::bson::serialize_to_bson(&room.members)?;
        let as_read = doc! { "_id": room.id.to_string(), "open": true, "begun": room.begun, "members": members };
        let closing = mongodb::bson::serialize_to_document(closing)?;
        let update = doc! { "$set": { "open": false, "closing": closing } };
        Ok(self.rooms.update_one(as_read, update).await?.matched_count == 1)
    }

    /// How many are open.
    pub(crate) async fn count_open(&self) -> Result<u64> {
        self.rooms.count_documents(doc! { "open": true }).await
    }

    /// Nothing is left of it.
    pub(crate) async fn delete(&self, id: RoomId) -> Result<()> {
        self.rooms.delete_one(doc! { "_id": id.to_string() }).await?;
        Ok(())
    }

    /// Remembers that the members of these rooms were told.
    pub(crate) async fn mark_announced(&self, rooms: &[Room], now: i64) -> Result<()> {
        let ids: Vec<Bson> = rooms.iter().map(|room| room.id.to_string().into()).collect();
        let update = doc! { "$set": { "announced_at": now } };
        self.rooms.update_many(doc! { "_id": { "$in": ids } }, update).await?;
        Ok(())
    }

    /// Rooms made before then that nobody was told of.
    pub(crate) async fn never_announced(&self, made_before: i64) -> Result<Vec<Room>> {
        let made = doc! { "$lte": made_before };
        self.all(doc! { "open": true, "begun": false, "announced_at": null, "created_at": made }).await
    }

    /// Rooms made after the one time and announced before the other that have not begun.
    pub(crate) async fn not_entered(&self, made_after: i64, announced_before: i64) -> Result<Vec<Room>> {
        let (made, announced) = (doc! { "$gt": made_after }, doc! { "$lte": announced_before });
        self.all(doc! { "open": true, "begun": false, "announced_at": announced, "created_at": made }).await
    }

    /// Rooms made before then that have not begun.
    pub(crate) async fn not_entered_in_time(&self, made_before: i64) -> Result<Vec<Room>> {
        self.all(doc! { "open": true, "begun": false, "created_at": { "$lte": made_before } }).await
    }

    /// Rooms that were closed before then and are still there.
    pub(crate) async fn closed_before(&self, then: i64) -> Result<Vec<Room>> {
        self.all(doc! { "open": false, "closing.at": { "$lte": then } }).await
    }

    /// Rooms that the backstop is about to remove.
    pub(crate) async fn expired(&self) -> Result<Vec<Room>> {
        self.all(doc! { "expires_at": { "$lte": DateTime::now() } }).await
    }

    /// Open rooms that the backstop would remove once half of their time to live has passed again.
    pub(crate) async fn near_backstop(&self) -> Result<Vec<Room>> {
        let soon = DateTime::from_system_time(SystemTime::now() + self.ttl / 2);
        self.all(doc! { "open": true, "expires_at": { "$lt": soon } }).await
    }

    /// Puts the backstop off.
    pub(crate) async fn put_off_backstop(&self, rooms: &[RoomId]) -> Result<()> {
        let ids: Vec<Bson> = rooms.iter().map(|room| room.to_string().into()).collect();
        let later = DateTime::from_system_time(SystemTime::now() + self.ttl);
        self.rooms.update_many(doc! { "_id": { "$in": ids } }, doc! { "$set": { "expires_at": later } }).await?;
        Ok(())
    }

    async fn all(&self, filter: Document) -> Result<Vec<Room>> {
        self.rooms.find(filter).await?.try_collect().await
    }
}
