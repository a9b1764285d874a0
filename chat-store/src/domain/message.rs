//! A message before it is stored: what identifies it, and what is known of it at each stage.

use proto::{Message, RoomId, UserId};

/// What makes two messages the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MessageKey {
    pub(crate) room: RoomId,
    pub(crate) author: UserId,
    pub(crate) nonce: String,
}

impl From<&Message> for MessageKey {
    fn from(message: &Message) -> Self {
        Self { room: message.room_id, author: message.author, nonce: message.nonce.clone() }
    }
}

/// A message of a member, to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewMessage<'a> {
    pub(crate) key: MessageKey,
    pub(crate) content: &'a str,
}

/// A message with its sequence.
#[derive(Clone, Debug)]
pub(crate) struct NumberedMessage {
    pub(crate) message: Message,
    /// The text of the room up to and including this message, in bytes.
    pub(crate) room_bytes: u64,
}
