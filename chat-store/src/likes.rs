//! Applies likes: only of members, only of messages of their room, and once.

use crate::{
    numbers,
    partition::{ApplyError, Batch, Outcome, Partition},
};
use proto::{Message, MessageId, Refusal, RoomCommand, RoomId, UserId};
use std::collections::{BTreeSet, HashMap};

/// A like of somebody who may, and its place in the batch.
struct Like {
    place: usize,
    room: RoomId,
    by: UserId,
    message: MessageId,
}

impl Partition {
    pub(crate) async fn like(&mut self, batch: &mut Batch<'_>, places: &[usize]) -> Result<(), ApplyError> {
        let likes: Vec<Like> = places.iter().filter_map(|&place| self.allowed_like(batch, place)).collect();
        if likes.is_empty() {
            return Ok(());
        }
        let messages = self.messages(&likes).await?;
        let in_room = |like: &Like| messages.get(&like.message).filter(|message| message.room_id == like.room);
        let unliked = |like: &&Like| in_room(like).is_some_and(|message| !message.liked);
        let fresh: BTreeSet<MessageId> = likes.iter().filter(unliked).map(|like| like.message).collect();
        // Those that are liked already too: then this waits until the majority knows it.
        let known: Vec<MessageId> =
            likes.iter().filter(|like| in_room(like).is_some()).map(|like| like.message).collect();
        self.store.like(&known).await?;
        metrics::counter!(numbers::LIKES).increment(fresh.len() as u64);
        for like in &likes {
            let news = batch.again || fresh.contains(&like.message);
            batch.outcomes[like.place] = match in_room(like) {
                Some(_) => self.liked(like, news),
                None => Outcome::Refused(Refusal::UnknownMessage),
            };
        }
        Ok(())
    }

    fn allowed_like(&self, batch: &Batch<'_>, place: usize) -> Option<Like> {
        let RoomCommand::MessageLiked { room, user, message } = *batch.asked[place].command else { return None };
        self.rooms.entered(room, user)?;
        Some(Like { place, room, by: user, message })
    }

    async fn messages(&self, likes: &[Like]) -> Result<HashMap<MessageId, Message>, ApplyError> {
        let ids: Vec<MessageId> = likes.iter().map(|like| like.message).collect();
        let found = self.store.messages(&ids).await?;
        Ok(found.into_iter().map(|message| (message.id, message)).collect())
    }

    fn liked(&self, like: &Like, news: bool) -> Outcome {
        let room = self.rooms.entered(like.room, like.by).filter(|_| news);
        let members = room.map(|room| room.members.clone()).unwrap_or_default();
        Outcome::Liked { message: like.message, by: like.by, members }
    }
}
