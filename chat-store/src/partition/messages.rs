//! Stores messages in the order of their sequences, even if another process does the same concurrently.
//!
//! A sequence is given only after the last one that is stored, and an insert stops at its first failure: whatever fails,
//! the sequences of a room are 1 to n. Two unique indexes reveal another writer, and what is stored already; then the
//! rooms are read again, and the batch is applied again.

use super::error::ApplyError;
use crate::{
    domain::{
        MessageKey, NewMessage, Outcome, Sequenced,
        numbering::{Stored, number},
        rooms::Rooms,
    },
    metrics,
    store::{Store, schema::InsertError},
};
use proto::{Refusal, RoomCommand};
use std::collections::HashSet;

/// Stores the messages of members; those of others stay refused. The outcomes have the indexes of their commands.
pub(super) async fn store(
    store: &Store,
    rooms: &mut Rooms,
    sent: &[(usize, Sequenced<'_>)],
    maybe_applied: bool,
) -> Result<Vec<(usize, Outcome)>, ApplyError> {
    let allowed: Vec<(usize, NewMessage<'_>)> =
        sent.iter().filter_map(|(at, sequenced)| Some((*at, allowed(rooms, sequenced.command)?))).collect();
    let new: Vec<NewMessage<'_>> = allowed.iter().map(|(_, new)| new.clone()).collect();
    let (stored, full) = insert_missing(store, rooms, &new, maybe_applied).await?;
    ::metrics::counter!(metrics::ROOMS_FULL).increment(full.len() as u64);
    let outcome = |key: &MessageKey| match (stored.get(key), rooms.members(key.room, key.author)) {
        (Some(message), Some(members)) => Outcome::Stored { message: message.clone(), members: members.to_vec() },
        _ => Outcome::Refused(Refusal::RoomFull),
    };
    Ok(allowed.into_iter().map(|(at, new)| (at, outcome(&new.key))).collect())
}

fn allowed<'a>(rooms: &Rooms, command: &'a RoomCommand) -> Option<NewMessage<'a>> {
    let RoomCommand::MessageSent { room, author, nonce, content } = command else { return None };
    rooms.members(*room, *author)?;
    Some(NewMessage { key: MessageKey { room: *room, author: *author, nonce: nonce.clone() }, content })
}

/// All that are stored afterwards, and those whose room is full.
async fn insert_missing(
    store: &Store,
    rooms: &mut Rooms,
    new: &[NewMessage<'_>],
    maybe_applied: bool,
) -> Result<(Stored, HashSet<MessageKey>), ApplyError> {
    let mut stored = if maybe_applied { find_stored(store, new).await? } else { Stored::new() };
    let mut numbered = number(rooms, new, &stored, now_s());
    if !numbered.full.is_empty() && !maybe_applied {
        // One that is sent again is stored, although its room is full by now.
        stored = find_stored(store, new).await?;
        numbered = number(rooms, new, &stored, now_s());
    }
    let inserted = store.messages().insert(&numbered.messages).await;
    let count = match &inserted {
        Ok(()) => numbered.messages.len(),
        Err(InsertError::Taken(index) | InsertError::Rejected(index, _)) => *index,
        Err(InsertError::Unavailable(_)) => 0,
    };
    ::metrics::counter!(metrics::MESSAGES_STORED).increment(count as u64);
    inserted?;
    rooms.grow(&numbered.messages);
    stored.extend(numbered.messages.into_iter().map(|one| (MessageKey::from(&one.message), one.message)));
    Ok((stored, numbered.full))
}

impl From<InsertError> for ApplyError {
    fn from(error: InsertError) -> Self {
        match error {
            InsertError::Taken(_) => Self::Conflict,
            InsertError::Rejected(_, reason) => Self::Rejected(reason),
            InsertError::Unavailable(error) => Self::MongoDb(error),
        }
    }
}

async fn find_stored(store: &Store, new: &[NewMessage<'_>]) -> Result<Stored, ApplyError> {
    let keys: Vec<MessageKey> = new.iter().map(|new| new.key.clone()).collect();
    let found = store.messages().stored(&keys).await?;
    Ok(found.into_iter().map(|message| (MessageKey::from(&message), message)).collect())
}

/// Seconds since 1970, in whole milliseconds: with more digits JSON and back is another number, and one message would
/// have two replies.
#[expect(clippy::cast_precision_loss, reason = "milliseconds stay below 2^53 for some time")]
fn now_s() -> f64 {
    proto::bus::now_ms() as f64 / 1000.0
}
