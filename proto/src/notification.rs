//! What services publish on core NATS for the gateways. Best effort: each can also be read as state.

use crate::{
    commands::{Queue, RoomView},
    ids::{MessageId, RoomId, UserId},
    presence::Register,
};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// A stored message. Its names are those of the clients' contract; `seq` is ours.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Unique everywhere.
    #[serde(rename = "_id")]
    pub id: MessageId,
    /// Where.
    pub room_id: RoomId,
    /// Who wrote it.
    pub author: UserId,
    /// When it was stored, in seconds since 1970.
    pub timestamp: f64,
    /// The author's own id of it, unique within room and author.
    pub nonce: String,
    /// The text.
    pub content: String,
    /// The partner liked it.
    pub liked: bool,
    /// Position in the room: 1, 2, 3, … without gaps.
    pub seq: u64,
}

impl std::fmt::Debug for Message {
    // Without the text: a debug line must not leak it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message {} #{} in {}", self.id, self.seq, self.room_id)
    }
}

/// A notification for one user, on `talk.notify.<kind>.<room>.<user>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Notification {
    /// Waits in a queue from now on.
    Queued {
        /// Which queue.
        queue: Queue,
        /// Since when, in milliseconds since 1970.
        since_ms: i64,
        /// The matcher knows an open connection. If not, the gateway that has one claims it again: only connected
        /// users are matched.
        connected: bool,
    },
    /// A partner was found.
    Matched(RoomView),
    /// The partner vanished before the conversation started: back in the queue, in the place that they had.
    Requeued {
        /// Which queue.
        queue: Queue,
        /// Since when, in milliseconds since 1970.
        since_ms: i64,
    },
    /// Waited too long in vent or listen.
    Moved {
        /// The queue until now.
        from: Queue,
        /// The queue from now on.
        to: Queue,
    },
    /// A member, the receiver or the partner, entered the room.
    Entered {
        /// Who.
        user: UserId,
        /// Both have entered.
        started: bool,
    },
    /// The partner's connection is lost, or back.
    Partner {
        /// Which of both.
        connected: bool,
    },
    /// The room is closed. Published to both.
    Ended {
        /// Why.
        reason: EndReason,
    },
    /// A message was stored.
    Message(Message),
    /// A message was liked.
    Liked {
        /// Which.
        message_id: MessageId,
        /// By whom.
        user_id: UserId,
    },
    /// The partner started or stopped typing.
    Typing {
        /// Which of both.
        typing: bool,
    },
    /// The register has moved past a connection that was open: see [`crate::presence::Verdict`].
    Superseded {
        /// The newer connection.
        #[serde(flatten)]
        register: Register,
    },
}

impl Notification {
    /// The token in the subject.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.into()
    }
}

/// Why a room was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EndReason {
    /// One of the two left.
    Left,
    /// One of the two lost the connection and did not come back in time.
    Gone,
}

/// Published on `talk.match.made.<room>`, for operators: no client depends on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchMade {
    /// The new room.
    pub room: RoomId,
    /// The two, longest wait first.
    pub members: [MatchedMember; 2],
}

/// One of the two of a match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchedMember {
    /// Who.
    pub user: UserId,
    /// From which queue.
    pub queue: Queue,
    /// How long they waited, in milliseconds.
    pub waited_ms: u64,
}

/// Published on `talk.queue.status` after each round of matching.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// How many wait in vent.
    pub vent: u64,
    /// How many wait in listen.
    pub listen: u64,
    /// How many wait in talk.
    pub talk: u64,
}

/// The request on `talk.read.history.<room>`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryRequest {
    /// The member who requests it.
    pub user: UserId,
    /// Only what came after this room sequence; 0 for all.
    pub after_seq: u64,
}

/// The reply to [`HistoryRequest`], inside a [`crate::Reply`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Ascending by `seq`, [`HISTORY_PAGE_BYTES`] at most.
    pub messages: Vec<Message>,
    /// There is more after the last of them.
    pub more: bool,
}

/// The texts of one page of history, in bytes. JSON makes up to six bytes of one, so that a page of the worst texts,
/// one longest text over, stays below the bus's limit of 1 MB for a message.
pub const HISTORY_PAGE_BYTES: usize = 128 * 1024;

/// The most messages of one room; the next one is refused with [`crate::Refusal::RoomFull`].
pub const ROOM_MESSAGES: u64 = 10_000;
/// The most text of one room, in bytes of UTF-8; the message that goes beyond is refused likewise. What a client that
/// comes back is sent is bounded by it.
pub const ROOM_BYTES: u64 = 5 * 1024 * 1024;
