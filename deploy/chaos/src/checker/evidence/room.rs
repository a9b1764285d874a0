//! Rooms and messages as MongoDB had them, put together from the changes that the witness saw.

use std::collections::{BTreeMap, HashMap};

use crate::{
    history::Ms,
    observe::change::{Change, Fact},
};

/// A room from its first to its last.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) members: Vec<(String, String)>,
    pub(crate) opened: Ms,
    pub(crate) closed: Ms,
    pub(crate) closed_known: bool,
    /// When both had entered.
    pub(crate) started: Option<Ms>,
    /// When the first of its messages was erased.
    pub(crate) erased: Option<Ms>,
}

impl Room {
    pub(crate) fn partner_of(&self, user: &str) -> Option<&str> {
        self.members.iter().map(|(member, _)| member.as_str()).find(|member| *member != user)
    }

    pub(crate) fn has(&self, user: &str) -> bool {
        self.members.iter().any(|(member, _)| member == user)
    }
}

/// A message as MongoDB had it.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) room: String,
    pub(crate) author: String,
    pub(crate) nonce: String,
    pub(crate) seq: u64,
    pub(crate) at: Ms,
    pub(crate) liked: Option<Ms>,
    pub(crate) erased: Option<Ms>,
    /// Something of its room had been erased before.
    pub(crate) too_late: bool,
}

/// All rooms and all messages, the messages in the order in which they were stored.
#[derive(Debug, Default)]
pub(crate) struct Rooms<'a> {
    pub(crate) rooms: BTreeMap<&'a str, Room>,
    pub(crate) stored: Vec<Stored>,
    places: HashMap<&'a str, usize>,
}

impl<'a> Rooms<'a> {
    pub(crate) fn of(facts: &'a [Fact], end: Ms) -> Self {
        let mut rooms = Self::default();
        facts.iter().for_each(|fact| rooms.take(fact.at, &fact.what, end));
        rooms
    }

    fn take(&mut self, at: Ms, change: &'a Change, end: Ms) {
        match change {
            Change::RoomOpened { room, members } => {
                let members = members.clone();
                let opened =
                    Room { members, opened: at, closed: end, closed_known: false, started: None, erased: None };
                self.rooms.insert(room, opened);
            }
            Change::RoomStarted { room } => {
                if let Some(room) = self.rooms.get_mut(room.as_str()) {
                    room.started.get_or_insert(at);
                }
            }
            Change::RoomClosed { room } | Change::RoomDeleted { room } => {
                if let Some(room) = self.rooms.get_mut(room.as_str()).filter(|room| !room.closed_known) {
                    (room.closed, room.closed_known) = (at, true);
                }
            }
            Change::MessageStored { id, room, author, nonce, seq } => {
                let too_late = self.rooms.get(room.as_str()).is_some_and(|room| room.erased.is_some());
                self.places.insert(id, self.stored.len());
                let (id, room) = (id.clone(), room.clone());
                let (author, nonce, seq) = (author.clone(), nonce.clone(), *seq);
                self.stored.push(Stored { id, room, author, nonce, seq, at, liked: None, erased: None, too_late });
            }
            Change::MessageLiked { id } => {
                if let Some(place) = self.places.get(id.as_str()) {
                    self.stored[*place].liked.get_or_insert(at);
                }
            }
            Change::MessageErased { id } => {
                let Some(stored) = self.places.get(id.as_str()).map(|place| &mut self.stored[*place]) else { return };
                stored.erased = Some(at);
                if let Some(room) = self.rooms.get_mut(stored.room.as_str()) {
                    room.erased.get_or_insert(at);
                }
            }
            Change::RoomAnnounced { .. } | Change::UserChanged { .. } | Change::UserDeleted { .. } => {}
        }
    }
}
