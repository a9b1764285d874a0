//! Reads the matcher's collection `rooms`.

use super::texts;
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database,
    bson::doc,
    error::Error,
    options::{CollectionOptions, ReadConcern},
};
use proto::{RoomId, UserId};
use serde::Deserialize;

/// A room as the matcher wrote it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Room {
    #[serde(rename = "_id")]
    pub(crate) id: RoomId,
    members: Vec<Member>,
    pub(crate) open: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct Member {
    user: UserId,
}

impl Room {
    /// The two of it.
    pub(crate) fn members(&self) -> impl Iterator<Item = UserId> {
        self.members.iter().map(|member| member.user)
    }
}

/// The collection `rooms`, read-only.
#[derive(Clone)]
pub(crate) struct RoomReader(Collection<Room>);

impl RoomReader {
    pub(super) fn new(database: &Database) -> Self {
        // As the primary has them: one that was just elected has all that the majority had, but does not know so yet,
        // and a room must not be missed.
        let local = CollectionOptions::builder().read_concern(ReadConcern::local()).build();
        Self(database.collection_with_options("rooms", local))
    }

    /// Those of the rooms that exist.
    pub(crate) async fn find(&self, rooms: &[RoomId]) -> Result<Vec<Room>, Error> {
        if rooms.is_empty() {
            return Ok(Vec::new());
        }
        let projection = doc! {"members.user": 1, "open": 1};
        self.0.find(doc! {"_id": {"$in": texts(rooms)}}).projection(projection).await?.try_collect().await
    }
}
