//! What a partition remembers of its rooms between batches: who is in them, whether they are
//! open, which place was taken last. True only while this process is the partition's only
//! consumer, so that it is forgotten at every takeover and after every failure.

use crate::store::{Room, Store};
use mongodb::error::Error;
use proto::{Message, RoomId, UserId};
use std::collections::{BTreeSet, HashMap};

/// Rooms to remember before all are forgotten: some 2 MB.
const LIMIT: usize = 10_000;

/// A room that exists, or did when it was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) members: Vec<UserId>,
    pub(crate) last_place: u64,
    open: bool,
}

/// The rooms of a partition.
#[derive(Default)]
pub(crate) struct Rooms(HashMap<RoomId, Known>);

impl Rooms {
    /// Looks at those of the rooms that are not remembered, all at once.
    pub(crate) async fn learn(
        &mut self,
        store: &Store,
        rooms: impl Iterator<Item = RoomId> + Clone,
    ) -> Result<(), Error> {
        if self.0.len() > LIMIT {
            self.0.clear();
        }
        let unknown: BTreeSet<RoomId> = rooms.filter(|room| !self.0.contains_key(room)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<RoomId> = unknown.into_iter().collect();
        let (found, places) = tokio::try_join!(store.rooms(&unknown), store.last_places(&unknown))?;
        let places: HashMap<RoomId, u64> = places.into_iter().collect();
        // One that is not found is not remembered: that answer could be too early.
        self.0.extend(found.into_iter().map(|room| (room.id, known(room, &places))));
        Ok(())
    }

    /// The room, if it is open and the user is a member of it.
    pub(crate) fn entered(&self, room: RoomId, user: UserId) -> Option<&Known> {
        self.0.get(&room).filter(|known| known.open && known.members.contains(&user))
    }

    /// The place that was taken last.
    pub(crate) fn last_place(&self, room: RoomId) -> u64 {
        self.0.get(&room).map_or(0, |known| known.last_place)
    }

    /// These messages, each after the one before, are stored.
    pub(crate) fn taken(&mut self, messages: &[Message]) {
        for message in messages {
            if let Some(known) = self.0.get_mut(&message.room_id) {
                known.last_place = message.seq;
            }
        }
    }

    /// The room is over, for good.
    pub(crate) fn close(&mut self, room: RoomId) {
        self.0.insert(room, Known { members: Vec::new(), last_place: 0, open: false });
    }

    /// Forgets all, except what can never change.
    pub(crate) fn forget(&mut self) {
        self.0.retain(|_, known| !known.open);
    }
}

fn known(room: Room, places: &HashMap<RoomId, u64>) -> Known {
    let members = room.members.into_iter().map(|member| member.user).collect();
    Known { members, last_place: places.get(&room.id).copied().unwrap_or(0), open: room.open }
}
