//! What goes out over sockets, in the names of the clients' contract.

use proto::{
    Message, MessageId, Queue, RoomId, UserId,
    events::{EndReason, QueueStatus},
};
use serde::Serialize;

/// A message as the clients' contract has it.
#[derive(Serialize)]
pub(crate) struct Sent<'a> {
    #[serde(flatten)]
    pub(crate) message: &'a Message,
    pub(crate) message_id: &'a str,
    /// The partner wrote it.
    pub(crate) incoming: bool,
}

impl<'a> Sent<'a> {
    /// As this user gets it.
    pub(crate) fn to(user: UserId, message: &'a Message) -> Self {
        Self { message, message_id: &message.nonce, incoming: message.author != user }
    }
}

/// What a current client is told when it connects.
#[derive(Serialize)]
pub(crate) struct Resumed<'a> {
    pub(crate) user_id: UserId,
    #[serde(flatten)]
    pub(crate) state: State<'a>,
}

/// Where it stands.
#[derive(Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum State<'a> {
    Idle,
    /// The room that it comes back for is gone.
    Over,
    Waiting {
        queue: Queue,
        waited_ms: i64,
    },
    Room {
        room_id: RoomId,
        partner_connected: bool,
        last_seq: u64,
        messages: Vec<Sent<'a>>,
        /// Another `resumed` follows with what comes after.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    },
}

#[derive(Serialize)]
pub(crate) struct QueueComplete {
    pub(crate) user_id: UserId,
}

#[derive(Serialize)]
pub(crate) struct Returned {
    pub(crate) queue: Queue,
    pub(crate) waited_ms: i64,
}

#[derive(Serialize)]
pub(crate) struct Status {
    pub(crate) queue: Queue,
    pub(crate) waited_ms: i64,
    pub(crate) waiting: QueueStatus,
}

#[derive(Serialize)]
pub(crate) struct Changed {
    pub(crate) from: Queue,
    pub(crate) to: Queue,
}

#[derive(Serialize)]
pub(crate) struct Liked {
    pub(crate) message_id: MessageId,
    pub(crate) user_id: UserId,
}

#[derive(Serialize)]
pub(crate) struct Ended {
    pub(crate) reason: EndReason,
}
