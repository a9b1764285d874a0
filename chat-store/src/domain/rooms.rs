//! What a partition remembers of its rooms between batches: members, whether they are open, how much they hold. True
//! only while this process is the partition's only consumer; therefore forgotten at every takeover, after every failure
//! and after every suspension.

use super::message::NumberedMessage;
use proto::{
    RoomId, UserId,
    notification::{ROOM_BYTES, ROOM_MESSAGES},
};
use std::collections::HashMap;

/// Rooms to remember before all are forgotten: some 2 MB.
const LIMIT: usize = 10_000;

/// How much a room holds. Sequences have no gaps, so that the last one is also the number of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RoomSize {
    /// The last sequence.
    pub(crate) last_seq: u64,
    /// All texts, in bytes of UTF-8.
    pub(crate) bytes: u64,
}

impl RoomSize {
    /// With one more message; none when a room may not hold as much.
    pub(crate) fn with(self, content: &str) -> Option<Self> {
        let larger = Self { last_seq: self.last_seq + 1, bytes: self.bytes + content.len() as u64 };
        (larger.last_seq <= ROOM_MESSAGES && larger.bytes <= ROOM_BYTES).then_some(larger)
    }
}

/// A room that exists, or did when it was read.
#[derive(Clone, Debug)]
pub(crate) struct KnownRoom {
    pub(crate) members: Vec<UserId>,
    pub(crate) open: bool,
    pub(crate) size: RoomSize,
}

/// The rooms of a partition.
#[derive(Default)]
pub(crate) struct Rooms(HashMap<RoomId, KnownRoom>);

impl Rooms {
    /// Those that are not remembered, each once.
    pub(crate) fn unknown(&mut self, rooms: impl Iterator<Item = RoomId>) -> Vec<RoomId> {
        if self.0.len() > LIMIT {
            self.0.clear();
        }
        let mut unknown: Vec<RoomId> = rooms.filter(|room| !self.0.contains_key(room)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Remembers rooms that were read. One that was not found is not remembered: it may have been read too early.
    pub(crate) fn remember(&mut self, rooms: impl Iterator<Item = (RoomId, KnownRoom)>) {
        self.0.extend(rooms);
    }

    /// The members, if the room is open and the user is one of them.
    pub(crate) fn members(&self, room: RoomId, user: UserId) -> Option<&[UserId]> {
        let known = self.0.get(&room)?;
        (known.open && known.members.contains(&user)).then_some(&known.members)
    }

    /// How much the room holds.
    pub(crate) fn size(&self, room: RoomId) -> RoomSize {
        self.0.get(&room).map(|known| known.size).unwrap_or_default()
    }

    /// These messages, in their order, are stored.
    pub(crate) fn grow(&mut self, messages: &[NumberedMessage]) {
        for NumberedMessage { message, room_bytes } in messages {
            if let Some(known) = self.0.get_mut(&message.room_id) {
                known.size = RoomSize { last_seq: message.seq, bytes: *room_bytes };
            }
        }
    }

    /// The room is closed, for good.
    pub(crate) fn close(&mut self, room: RoomId) {
        self.0.insert(room, KnownRoom { members: Vec::new(), open: false, size: RoomSize::default() });
    }

    /// Forgets all but what can never change.
    pub(crate) fn forget(&mut self) {
        self.0.retain(|_, known| !known.open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_holds_as_much_as_it_may_and_nothing_more() {
        let size = |last_seq, bytes| RoomSize { last_seq, bytes };
        for (name, before, content, after) in [
            ("the first", size(0, 0), "four", Some(size(1, 4))),
            ("bytes, not characters", size(1, 4), "ä", Some(size(2, 6))),
            ("the last that fits by number", size(ROOM_MESSAGES - 1, 0), "", Some(size(ROOM_MESSAGES, 0))),
            ("one too many", size(ROOM_MESSAGES, 0), "", None),
            ("the last that fits by bytes", size(1, ROOM_BYTES - 1), "x", Some(size(2, ROOM_BYTES))),
            ("a byte too many", size(1, ROOM_BYTES - 1), "ä", None),
        ] {
            assert_eq!(before.with(content), after, "{name}");
        }
    }

    #[test]
    fn closed_rooms_are_remembered_and_open_ones_forgotten() {
        let (open, closed, user) = (RoomId::new(), RoomId::new(), UserId::new());
        let mut rooms = Rooms::default();
        let known = || KnownRoom { members: vec![user], open: true, size: RoomSize::default() };
        rooms.remember([(open, known()), (closed, known())].into_iter());
        rooms.close(closed);
        assert!(rooms.members(open, user).is_some() && rooms.members(closed, user).is_none());
        assert!(rooms.members(open, UserId::new()).is_none(), "a stranger");
        rooms.forget();
        assert_eq!(rooms.unknown([open, closed, open].into_iter()), [open]);
    }
}
