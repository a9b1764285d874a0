//! Commands for the matcher, which owns users and rooms.

use super::Command;
use crate::{
    bus::subjects,
    ids::{RoomId, UserId},
    presence::{ConnectionStamp, ConnectionState},
};
use async_nats::Subject;
use serde::{Deserialize, Serialize};
use std::fmt;
use strum::{IntoStaticStr, VariantNames};

/// What a user came for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Queue {
    /// Wants to be heard.
    Vent,
    /// Wants to hear somebody.
    Listen,
    /// Wants to talk, both ways.
    Talk,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Vent, Self::Listen, Self::Talk];

    /// The queue that this one is matched with.
    #[must_use]
    pub fn fits(self) -> Self {
        match self {
            Self::Vent => Self::Listen,
            Self::Listen => Self::Vent,
            Self::Talk => Self::Talk,
        }
    }

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vent => "vent",
            Self::Listen => "listen",
            Self::Talk => "talk",
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A command about one user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum UserCommand {
    /// Wait in this queue. Replied to with a [`super::UserView`]. Applied only while the gateway that published it still
    /// waits for the reply: a command that comes late, or is replayed, is refused.
    QueueRequested {
        /// Who.
        user: UserId,
        /// Which queue.
        queue: Queue,
        /// Not to be matched before this many milliseconds have passed: the response to a POST and the socket's
        /// `queue_complete` travel on two connections, and a legacy client that receives the second one first is stuck.
        settle_ms: u64,
    },
    /// Leave the room, or the queue. Replied to with a [`super::UserView`], which is idle.
    Left {
        /// Who.
        user: UserId,
    },
    /// A connection speaks for this user. Replied to with a [`super::UserView`], whose register shows whether this
    /// connection is the newest.
    Connected {
        /// Who.
        user: UserId,
        /// Which connection.
        stamp: ConnectionStamp,
    },
    /// A connection is closed. Not replied to.
    Disconnected {
        /// Who.
        user: UserId,
        /// Which connection.
        stamp: ConnectionStamp,
        /// The last room sequence that certainly reached the client.
        delivered_seq: u64,
        /// Why.
        cause: DisconnectCause,
    },
    /// Enters the room of a match. Replied to with a [`super::UserView`].
    Entered {
        /// Who.
        user: UserId,
        /// Which room: a command that is delivered again enters no later one.
        room: RoomId,
    },
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DisconnectCause {
    /// Tab closed, network lost. The partner is notified at once.
    Lost,
    /// The gateway drains and expects the client on another gateway. The partner is notified only if that takes longer
    /// than [`crate::timing::DRAIN_GRACE`].
    Drained,
}

impl From<DisconnectCause> for ConnectionState {
    fn from(cause: DisconnectCause) -> Self {
        match cause {
            DisconnectCause::Lost => Self::Lost,
            DisconnectCause::Drained => Self::Drained,
        }
    }
}

impl UserCommand {
    /// The types, as in metrics.
    pub const NAMES: &'static [&'static str] = Self::VARIANTS;

    /// Whom it is about.
    #[must_use]
    pub fn user(&self) -> UserId {
        match self {
            Self::QueueRequested { user, .. }
            | Self::Left { user }
            | Self::Connected { user, .. }
            | Self::Disconnected { user, .. }
            | Self::Entered { user, .. } => *user,
        }
    }
}

impl Command for UserCommand {
    fn subject(&self) -> Subject {
        let kind = match self {
            Self::QueueRequested { .. } => "queue.requested",
            Self::Left { .. } => "user.left",
            Self::Connected { .. } => "user.connected",
            Self::Disconnected { .. } => "user.disconnected",
            Self::Entered { .. } => "user.entered",
        };
        subjects::user_command(kind, self.user())
    }

    fn name(&self) -> &'static str {
        self.into()
    }
}
