//! Commands for the chat-store, which owns messages.

use super::Command;
use crate::{
    bus::subjects,
    ids::{MessageId, RoomId, UserId},
};
use async_nats::Subject;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// A command about one room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RoomCommand {
    /// Store and publish a message. Replied to with the stored [`crate::Message`].
    MessageSent {
        /// Where.
        room: RoomId,
        /// Who.
        author: UserId,
        /// The client's own id of it; the same room, author and nonce are the same message.
        nonce: String,
        /// The text.
        content: String,
    },
    /// Mark a message as liked. Replied to with [`Liked`].
    MessageLiked {
        /// Where.
        room: RoomId,
        /// Who likes it.
        user: UserId,
        /// Which.
        message: MessageId,
    },
    /// The room is closed: erase what is stored of it. Not replied to.
    RoomEnded {
        /// Which.
        room: RoomId,
    },
}

/// The reply to [`RoomCommand::MessageLiked`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Liked {
    /// Which message is liked now.
    pub message_id: MessageId,
}

impl RoomCommand {
    /// The types, as in metrics.
    pub const NAMES: &'static [&'static str] = Self::VARIANTS;

    /// Which room it is about.
    #[must_use]
    pub fn room(&self) -> RoomId {
        match self {
            Self::MessageSent { room, .. } | Self::MessageLiked { room, .. } | Self::RoomEnded { room } => *room,
        }
    }
}

impl Command for RoomCommand {
    fn subject(&self) -> Subject {
        let kind = match self {
            Self::MessageSent { .. } => "message.sent",
            Self::MessageLiked { .. } => "message.liked",
            Self::RoomEnded { .. } => "room.ended",
        };
        subjects::room_command(kind, self.room())
    }

    fn name(&self) -> &'static str {
        self.into()
    }
}
