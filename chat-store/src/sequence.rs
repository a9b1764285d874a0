//! Gives messages their places in their rooms and stores them: 1, 2, 3, … without gaps, whoever
//! else tries the same at the same time.
//!
//! A place is given only after the last one that is stored, and an insert stops at its first
//! failure; so whatever fails, the places of a room are 1 to n. Two unique indexes notice
//! another writer, and what is stored already; then all is looked at again, and tried again.

use crate::{
    numbers,
    partition::ApplyError,
    rooms::Rooms,
    schema::InsertError,
    store::{Key, Store},
};
use proto::{Message, MessageId};
use std::collections::{HashMap, HashSet};

/// How often MongoDB may refuse one message before it is given up.
const REFUSALS: u32 = 4;

/// A message to be stored, of somebody who may.
#[derive(Clone, Debug)]
pub(crate) struct Sent<'a> {
    pub(crate) key: Key,
    pub(crate) content: &'a str,
}

/// What became of each message.
pub(crate) type Placed = HashMap<Key, Message>;

/// Stores messages in order, and counts how often MongoDB refused one.
#[derive(Default)]
pub(crate) struct Sequence {
    refusals: HashMap<Key, u32>,
}

impl Sequence {
    /// Stores what is not stored yet. A message that is missing in the answer was given up.
    /// `again`: some may be stored already, so look first.
    pub(crate) async fn place(
        &mut self,
        store: &Store,
        rooms: &mut Rooms,
        sent: &[Sent<'_>],
        again: bool,
    ) -> Result<Placed, ApplyError> {
        let mut placed = if again { stored(store, sent).await? } else { Placed::new() };
        let fresh = self.number(rooms, sent, &placed);
        let inserted = store.insert(&fresh).await;
        let count = match &inserted {
            Ok(()) => fresh.len(),
            Err(InsertError::Taken(place) | InsertError::Rejected(place, _)) => *place,
            Err(InsertError::Unavailable(_)) => 0,
        };
        metrics::counter!(numbers::MESSAGES_STORED).increment(count as u64);
        match inserted {
            Ok(()) => {
                rooms.taken(&fresh);
                placed.extend(fresh.into_iter().map(|message| (Key::from(&message), message)));
                Ok(placed)
            }
            Err(InsertError::Taken(_)) => Err(ApplyError::Taken),
            Err(InsertError::Rejected(place, reason)) => Err(self.refused(&fresh, place, reason)),
            Err(InsertError::Unavailable(error)) => Err(error.into()),
        }
    }

    /// Messages that are neither stored nor given up, each once, in the next free places.
    fn number(&self, rooms: &Rooms, sent: &[Sent<'_>], placed: &Placed) -> Vec<Message> {
        let timestamp = now_s();
        let mut last = HashMap::new();
        let mut seen = HashSet::new();
        let wanted = |sent: &&Sent<'_>| !placed.contains_key(&sent.key) && !self.given_up(&sent.key);
        let fresh = sent.iter().filter(wanted).filter(|sent| seen.insert(&sent.key));
        fresh
            .map(|Sent { key, content }| {
                let last = last.entry(key.room).or_insert_with(|| rooms.last_place(key.room));
                *last += 1;
                Message {
                    id: MessageId::new(),
                    room_id: key.room,
                    author: key.author,
                    timestamp,
                    nonce: key.nonce.clone(),
                    content: (*content).to_owned(),
                    liked: false,
                    seq: *last,
                }
            })
            .collect()
    }

    fn refused(&mut self, fresh: &[Message], place: usize, reason: String) -> ApplyError {
        if let Some(message) = fresh.get(place) {
            *self.refusals.entry(Key::from(message)).or_default() += 1;
        }
        ApplyError::Rejected(reason)
    }

    fn given_up(&self, key: &Key) -> bool {
        self.refusals.get(key).is_some_and(|refusals| *refusals >= REFUSALS)
    }

    /// The batch is done: a message that comes again gets another chance.
    pub(crate) fn done(&mut self) {
        self.refusals.clear();
    }
}

/// Seconds since 1970, in whole milliseconds: with more digits JSON and back is another number,
/// and one message would have two answers.
#[expect(clippy::cast_precision_loss, reason = "milliseconds stay below 2^53 for some time")]
fn now_s() -> f64 {
    proto::bus::now_ms() as f64 / 1000.0
}

async fn stored(store: &Store, sent: &[Sent<'_>]) -> Result<Placed, ApplyError> {
    let keys: Vec<Key> = sent.iter().map(|sent| sent.key.clone()).collect();
    let found = store.stored(&keys).await?;
    Ok(found.into_iter().map(|message| (Key::from(&message), message)).collect())
}
