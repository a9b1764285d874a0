//! What operators can watch and request: ids, sequences, times and counts, no text and no secret. Published on core
//! NATS, best effort; no service depends on any of it.

use crate::{
    ids::{MessageId, ProcessId, RoomId, UserId},
    notification::{EndReason, MatchedMember},
};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// Published on `talk.event.<kind>.<room>`. What is applied again after a crash may be published again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoomEvent {
    /// Which room.
    pub room: RoomId,
    /// When it was published, in milliseconds since 1970.
    pub at_ms: i64,
    /// What.
    #[serde(flatten)]
    pub kind: RoomEventKind,
}

/// What happened in a room, in the order of a usual conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RoomEventKind {
    /// Two were matched.
    Created {
        /// The two, longest wait first.
        members: [MatchedMember; 2],
    },
    /// A member entered.
    Entered {
        /// Who.
        user: UserId,
        /// Both have entered.
        started: bool,
    },
    /// A message was stored.
    Stored {
        /// Which.
        message: MessageId,
        /// Its position in the room.
        seq: u64,
        /// Who wrote it.
        author: UserId,
        /// The length of its text, in bytes.
        bytes: u64,
    },
    /// A message was liked.
    Liked {
        /// Which.
        message: MessageId,
        /// By whom.
        user: UserId,
    },
    /// A member's connection was lost, and the partner notified.
    Disconnected {
        /// Whose.
        user: UserId,
    },
    /// That member is back.
    Reconnected {
        /// Who.
        user: UserId,
    },
    /// A member left for good.
    Left {
        /// Who.
        user: UserId,
    },
    /// The room is closed.
    Ended {
        /// Why.
        reason: EndReason,
        /// The conversation had started: both had entered.
        started: bool,
        /// How long the room was open, in milliseconds.
        lasted_ms: u64,
        /// Who goes back to the queue, because it had not started.
        requeued: Vec<UserId>,
    },
    /// Its messages are erased.
    Erased,
}

impl RoomEventKind {
    /// The token in the subject.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.into()
    }
}

/// The reply on `talk.read.waiting`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueReport {
    /// The queue vent.
    pub vent: QueueDepth,
    /// The queue listen.
    pub listen: QueueDepth,
    /// The queue talk.
    pub talk: QueueDepth,
    /// The matcher that is the leader; none in the seconds after one was killed.
    pub leader: Option<String>,
}

/// How many connected users wait in a queue, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueDepth {
    /// How many.
    pub waiting: u64,
    /// How long the one who waits longest has waited, in milliseconds.
    pub oldest_ms: u64,
}

/// The reply on `talk.read.gateway.<gateway>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayReport {
    /// Which gateway.
    pub gateway: ProcessId,
    /// Open sockets, identified or not.
    pub sockets: u64,
    /// Users with a connection here who are in a room.
    pub in_rooms: u64,
    /// It hands its clients over to other gateways.
    pub draining: bool,
}
