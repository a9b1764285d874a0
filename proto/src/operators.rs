//! What operators are told and may ask: ids, sequences, times and counts, nothing of what is
//! said and no secret. Told on core NATS, now or never; no service depends on any of it.

use crate::{
    events::{EndReason, MatchedMember},
    ids::{MessageId, ProcessId, RoomId, UserId},
};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

/// Told on `talk.event.<kind>.<room>`. What is applied again after a crash may be told again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoomEvent {
    /// Where.
    pub room: RoomId,
    /// When it was told, in milliseconds since 1970.
    pub at_ms: i64,
    /// What.
    #[serde(flatten)]
    pub happened: Happened,
}

/// What happened in a room, in the order of a usual conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Happened {
    /// Two were matched.
    Made {
        /// The two, longest wait first.
        members: [MatchedMember; 2],
    },
    /// A member entered.
    Entered {
        /// Who.
        user: UserId,
        /// Both have entered.
        begun: bool,
    },
    /// A message was stored.
    Stored {
        /// Which.
        message: MessageId,
        /// Its place in the room.
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
    /// A member's connection was lost, and the partner told so.
    Lost {
        /// Whose.
        user: UserId,
    },
    /// That member is back.
    Back {
        /// Who.
        user: UserId,
    },
    /// A member left for good.
    Left {
        /// Who.
        user: UserId,
    },
    /// The room is over.
    Ended {
        /// Why.
        reason: EndReason,
        /// The conversation had begun: both had entered.
        begun: bool,
        /// How long the room was there, in milliseconds.
        lasted_ms: u64,
        /// Who goes back to the queue, because it had not begun.
        back: Vec<UserId>,
    },
    /// Its messages are erased.
    Erased,
}

impl Happened {
    /// The token in the subject.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.into()
    }
}

/// The answer on `talk.read.waiting`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WhoWaits {
    /// Who waits in vent.
    pub vent: Depth,
    /// Who waits in listen.
    pub listen: Depth,
    /// Who waits in talk.
    pub talk: Depth,
    /// The matcher that ticks; nobody in the seconds after one was killed.
    pub ticking: Option<String>,
}

/// How many wait in a queue with a connection, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    /// How many.
    pub waiting: u64,
    /// How long the one who waits longest has waited, in milliseconds.
    pub oldest_ms: u64,
}

/// The answer on `talk.read.gateway.<gateway>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnGateway {
    /// Which gateway.
    pub gateway: ProcessId,
    /// Open sockets, whether somebody was named on them or not.
    pub sockets: u64,
    /// People with a socket here who are in a room.
    pub in_rooms: u64,
    /// It sends everybody to other gateways.
    pub draining: bool,
}
