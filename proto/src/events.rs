//! What is told on core NATS. Live events are best effort: each can also be read as state.

use crate::{
    commands::{Queue, RoomView},
    ids::{MessageId, RoomId, UserId},
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
    /// Somebody liked it.
    pub liked: bool,
    /// Place in the room: 1, 2, 3, … without gaps.
    pub seq: u64,
}

impl std::fmt::Debug for Message {
    // Without the text: a debug line must not leak it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message {} #{} in {}", self.id, self.seq, self.room_id)
    }
}

/// Told to one user, on `talk.live.<kind>.<room>.<user>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Live {
    /// Waits in a queue from now on. Whoever holds the user's socket and had let go of the user
    /// after an earlier conversation says again that it is connected.
    Queued {
        /// Which queue.
        queue: Queue,
        /// Since when, in milliseconds since 1970.
        since_ms: i64,
    },
    /// A partner was found.
    Matched(RoomView),
    /// The partner vanished before the conversation began: back in the place that they had.
    Unmatched {
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
    Joined {
        /// Who.
        user: UserId,
        /// Both have entered.
        begun: bool,
    },
    /// The partner's connection was lost, or is back.
    Partner {
        /// Which of both.
        connected: bool,
    },
    /// The room is over. Told to both.
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
    /// A newer connection speaks for this user: older ones fall silent.
    Replaced {
        /// The newer connection.
        epoch: u64,
    },
}

impl Live {
    /// The token in the subject.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.into()
    }
}

/// Why a room ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EndReason {
    /// One of the two left.
    Left,
    /// One of the two lost the connection and did not come back in time.
    Gone,
}

/// Told on `talk.match.made.<room>`, for operators: nobody's client depends on it.
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

/// Told on `talk.queue.status` after each tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// How many wait in vent.
    pub vent: u64,
    /// How many wait in listen.
    pub listen: u64,
    /// How many wait in talk.
    pub talk: u64,
}

/// Asked on `talk.read.history.<room>`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryRequest {
    /// Whoever asks; has to be a member.
    pub user: UserId,
    /// Only what came after this room sequence; 0 for all.
    pub after_seq: u64,
}

/// The answer to [`HistoryRequest`], inside a [`crate::Reply`]: at most
/// [`HISTORY_PAGE`] messages, ascending by `seq`. A full page means: ask again after its last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// What came after.
    pub messages: Vec<Message>,
}

/// Messages in one answer. A text has 16 kB at most, and JSON makes up to six bytes of one, so
/// that a page of the worst texts stays below the bus's limit of 1 MB for a message.
pub const HISTORY_PAGE: usize = 10;
