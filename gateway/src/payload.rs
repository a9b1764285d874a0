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
    pub(crate) incoming: bool,
}

/// Where a current client stands when it connects.
#[derive(Serialize)]
pub(crate) struct Resumed {
    pub(crate) user_id: UserId,
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<Queue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waited_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) room_id: Option<RoomId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partner_connected: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) messages: Option<Vec<Message>>,
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
