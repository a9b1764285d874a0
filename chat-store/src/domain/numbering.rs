//! Gives messages their sequences in their rooms: 1, 2, 3, … without gaps, after the last one that is stored.

use super::{
    message::{MessageKey, NewMessage, NumberedMessage},
    rooms::{RoomSize, Rooms},
};
use proto::{Message, MessageId, RoomId};
use std::collections::{HashMap, HashSet};

/// Messages that are stored, by what identifies them.
pub(crate) type Stored = HashMap<MessageKey, Message>;

/// Messages with their sequences, and those whose room is full.
#[derive(Debug, Default)]
pub(crate) struct Numbered {
    pub(crate) messages: Vec<NumberedMessage>,
    pub(crate) full: HashSet<MessageKey>,
}

/// Numbers those that are not stored, each once. `timestamp` is in seconds since 1970.
pub(crate) fn number(rooms: &Rooms, new: &[NewMessage<'_>], stored: &Stored, timestamp: f64) -> Numbered {
    let mut sizes: HashMap<RoomId, RoomSize> = HashMap::new();
    let mut seen = HashSet::new();
    let mut numbered = Numbered::default();
    for NewMessage { key, content } in new {
        if stored.contains_key(key) || !seen.insert(key) {
            continue;
        }
        let size = sizes.entry(key.room).or_insert_with(|| rooms.size(key.room));
        if let Some(larger) = size.with(content) {
            *size = larger;
            let message = message(key, content, larger.last_seq, timestamp);
            numbered.messages.push(NumberedMessage { message, room_bytes: larger.bytes });
        } else {
            numbered.full.insert(key.clone());
        }
    }
    numbered
}

fn message(key: &MessageKey, content: &str, seq: u64, timestamp: f64) -> Message {
    Message {
        id: MessageId::new(),
        room_id: key.room,
        author: key.author,
        timestamp,
        nonce: key.nonce.clone(),
        content: content.to_owned(),
        liked: false,
        seq,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rooms::KnownRoom;
    use proptest::prelude::*;
    use proto::{UserId, notification::ROOM_MESSAGES};

    fn key(room: RoomId, author: UserId, nonce: u64) -> MessageKey {
        MessageKey { room, author, nonce: nonce.to_string() }
    }

    fn holding(room: RoomId, last_seq: u64) -> Rooms {
        let mut rooms = Rooms::default();
        let size = RoomSize { last_seq, bytes: last_seq };
        rooms.remember([(room, KnownRoom { members: Vec::new(), open: true, size })].into_iter());
        rooms
    }

    #[test]
    fn what_does_not_fit_is_full_and_what_is_stored_stays_stored() {
        let (room, author) = (RoomId::new(), UserId::new());
        let new = [1, 2, 3].map(|nonce| NewMessage { key: key(room, author, nonce), content: "x" });
        let stored = Stored::from([(key(room, author, 1), message(&key(room, author, 1), "x", 7, 0.0))]);
        let numbered = number(&holding(room, ROOM_MESSAGES - 1), &new, &stored, 0.0);
        let seqs: Vec<_> = numbered.messages.iter().map(|numbered| &*numbered.message.nonce).collect();
        assert_eq!(seqs, ["2"]);
        assert_eq!(numbered.full, HashSet::from([key(room, author, 3)]));
    }

    proptest! {
        #[test]
        fn sequences_follow_the_last_one_without_gaps_in_the_order_of_the_batch(
            picks in prop::collection::vec((0_usize..2, 0_u64..20), 0..40),
            last_seq in 0_u64..5,
        ) {
            let (author, places) = (UserId::new(), [RoomId::new(), RoomId::new()]);
            let new: Vec<_> = picks.iter()
                .map(|(room, nonce)| NewMessage { key: key(places[*room], author, *nonce), content: "x" })
                .collect();
            let numbered = number(&holding(places[0], last_seq), &new, &Stored::new(), 0.0);
            for (room, first) in [(places[0], last_seq + 1), (places[1], 1)] {
                let own: Vec<_> = numbered.messages.iter().filter(|one| one.message.room_id == room).collect();
                let seqs: Vec<u64> = own.iter().map(|one| one.message.seq).collect();
                prop_assert_eq!(&seqs, &(first..first + own.len() as u64).collect::<Vec<_>>());
                prop_assert!(own.iter().all(|one| one.room_bytes == one.message.seq));
                let mut wanted = Vec::new();
                for key in new.iter().map(|new| &new.key).filter(|key| key.room == room) {
                    if !wanted.contains(&&key.nonce) {
                        wanted.push(&key.nonce);
                    }
                }
                prop_assert_eq!(own.iter().map(|one| &one.message.nonce).collect::<Vec<_>>(), wanted);
            }
        }
    }
}
