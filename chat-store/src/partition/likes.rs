//! Applies likes: only of members, only of messages of their room, and once.

use super::error::ApplyError;
use crate::{
    domain::{Outcome, Sequenced, rooms::Rooms},
    metrics,
    store::Store,
};
use proto::{Message, MessageId, Refusal, RoomCommand, RoomId, UserId};
use std::collections::{BTreeSet, HashMap};

/// A like of a member, and the index of its command.
struct Like {
    at: usize,
    room: RoomId,
    by: UserId,
    message: MessageId,
    members: Vec<UserId>,
}

/// Marks messages as liked; likes of strangers stay refused. The outcomes have the indexes of their commands.
pub(super) async fn like(
    store: &Store,
    rooms: &Rooms,
    liked: &[(usize, Sequenced<'_>)],
    maybe_applied: bool,
) -> Result<Vec<(usize, Outcome)>, ApplyError> {
    let likes: Vec<Like> = liked.iter().filter_map(|(at, sequenced)| allowed(rooms, *at, sequenced.command)).collect();
    if likes.is_empty() {
        return Ok(Vec::new());
    }
    let messages = find(store, &likes).await?;
    let in_room = |like: &Like| messages.get(&like.message).filter(|message| message.room_id == like.room);
    let known = likes.iter().filter_map(&in_room);
    let fresh: BTreeSet<MessageId> = known.clone().filter(|message| !message.liked).map(|message| message.id).collect();
    // Those that are liked already too: the write then waits until the majority knows it.
    store.messages().like(&known.map(|message| message.id).collect::<Vec<_>>()).await?;
    ::metrics::counter!(metrics::LIKES).increment(fresh.len() as u64);
    let outcome = |like: Like| match in_room(&like) {
        Some(_) => {
            let notify = maybe_applied || fresh.contains(&like.message);
            let members = if notify { like.members } else { Vec::new() };
            (like.at, Outcome::Liked { message: like.message, by: like.by, members })
        }
        None => (like.at, Outcome::Refused(Refusal::UnknownMessage)),
    };
    Ok(likes.into_iter().map(outcome).collect())
}

fn allowed(rooms: &Rooms, at: usize, command: &RoomCommand) -> Option<Like> {
    let RoomCommand::MessageLiked { room, user, message } = *command else { return None };
    let members = rooms.members(room, user)?.to_vec();
    Some(Like { at, room, by: user, message, members })
}

async fn find(store: &Store, likes: &[Like]) -> Result<HashMap<MessageId, Message>, ApplyError> {
    let ids: Vec<MessageId> = likes.iter().map(|like| like.message).collect();
    let found = store.messages().find(&ids).await?;
    Ok(found.into_iter().map(|message| (message.id, message)).collect())
}
