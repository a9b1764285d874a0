//! What services ask of each other over JetStream, and the answers.
//!
//! A command is JSON: `{"v":1,"at_ms":…,"type":"queue_requested",…}`. The golden files in
//! `tests/golden` show each one.

use crate::{
    ids::{GatewayId, MessageId, RoomId, UserId},
    subjects,
};
use async_nats::Subject;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;
use strum::{IntoStaticStr, VariantNames};

/// Version of the payloads. A consumer refuses any other.
pub const VERSION: u8 = 1;

/// What somebody came for.
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

    /// The queue whose people fit with this one's.
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

/// A payload for a JetStream subject.
pub trait Command: Serialize + DeserializeOwned + Send + Sync {
    /// Where it is published.
    fn subject(&self) -> Subject;

    /// What it is called in metrics: its type in the payload.
    fn name(&self) -> &'static str;
}

/// Asked of the matcher, which owns users and rooms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum UserCommand {
    /// Wait in this queue. Answered with a [`UserView`].
    QueueRequested {
        /// Who.
        user: UserId,
        /// Where.
        queue: Queue,
        /// Not to be matched before this many milliseconds have passed: the answer of a POST
        /// and the socket's `queue_complete` travel on two connections, and an old client that
        /// sees the second one first is stuck.
        settle_ms: u64,
    },
    /// Leave the room, or the queue. Answered with a [`UserView`], which is idle.
    Left {
        /// Who.
        user: UserId,
    },
    /// A socket speaks for this user. Answered with a [`UserView`], whose epoch names the
    /// connection from now on: it is the command's sequence in the stream.
    Connected {
        /// Who.
        user: UserId,
        /// Where the socket is.
        gateway: GatewayId,
        /// Set when a gateway that was thought dead says that this connection never went
        /// away: it is believed only if no newer connection has come.
        reassert: Option<u64>,
    },
    /// The socket is gone. Not answered.
    Disconnected {
        /// Who.
        user: UserId,
        /// Which connection.
        epoch: u64,
        /// The last room sequence that was sent on this connection.
        seen: u64,
        /// Why.
        cause: Loss,
    },
    /// Enters the room that was announced to them. Answered with a [`UserView`].
    Joined {
        /// Who.
        user: UserId,
    },
}

/// Why a connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Loss {
    /// Nobody knows: tab closed, network lost. The partner is told at once.
    Lost,
    /// The gateway closes down and told the client to come back: the partner is told only if
    /// that takes longer than 5 s.
    Drained,
}

impl UserCommand {
    /// Of whom it speaks.
    #[must_use]
    pub fn user(&self) -> UserId {
        match self {
            Self::QueueRequested { user, .. }
            | Self::Left { user }
            | Self::Connected { user, .. }
            | Self::Disconnected { user, .. }
            | Self::Joined { user } => *user,
        }
    }
}

impl UserCommand {
    /// What they are called in metrics.
    pub const NAMES: &'static [&'static str] = Self::VARIANTS;
}

impl Command for UserCommand {
    fn subject(&self) -> Subject {
        subjects::user_command(self)
    }

    fn name(&self) -> &'static str {
        self.into()
    }
}

/// Asked of the chat-store, which owns messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RoomCommand {
    /// Store and announce a message. Answered with the stored [`crate::Message`].
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
    /// Mark a message as liked. Answered with [`Liked`].
    MessageLiked {
        /// Where.
        room: RoomId,
        /// Who likes it.
        user: UserId,
        /// Which.
        message: MessageId,
    },
    /// The conversation is over: erase what is stored of it. Not answered.
    RoomEnded {
        /// Which.
        room: RoomId,
    },
}

/// The answer to [`RoomCommand::MessageLiked`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Liked {
    /// Which message is liked now.
    pub message_id: MessageId,
}

impl RoomCommand {
    /// Of which room it speaks.
    #[must_use]
    pub fn room(&self) -> RoomId {
        match self {
            Self::MessageSent { room, .. } | Self::MessageLiked { room, .. } | Self::RoomEnded { room } => *room,
        }
    }
}

impl RoomCommand {
    /// What they are called in metrics.
    pub const NAMES: &'static [&'static str] = Self::VARIANTS;
}

impl Command for RoomCommand {
    fn subject(&self) -> Subject {
        subjects::room_command(self)
    }

    fn name(&self) -> &'static str {
        self.into()
    }
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply<T> {
    /// It is done, durably.
    Ok(T),
    /// It changed nothing.
    Refused(Refusal),
}

/// Why a command changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Refusal {
    /// Waits in a queue already.
    AlreadyWaiting,
    /// Is in a room.
    InRoom,
    /// Is in no room, or not in that one, or it is over.
    NotInRoom,
    /// There is no such message in the room.
    UnknownMessage,
    /// Came too late: whoever asked has given up, or a newer command has been applied.
    Outdated,
    /// It was not applied, and asking anew is right: it came so late that nobody can tell
    /// whether its user was erased since, or it failed again and again and lies among the dead
    /// letters.
    Failed,
}

/// Where somebody stands, as the matcher sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserView {
    /// Who.
    pub user: UserId,
    /// The connection that speaks for them; 0 when there is none. Whoever holds a connection and
    /// reads another number here has to connect it again: nobody without one is matched.
    pub epoch: u64,
    /// The last room sequence that an earlier connection had been sent.
    pub seen: u64,
    /// Where they are.
    #[serde(flatten)]
    pub place: Place,
}

/// Where somebody is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, VariantNames)]
#[serde(tag = "state", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Place {
    /// Nowhere: has not asked for anything, or it is over.
    Idle,
    /// In a queue.
    Waiting {
        /// Which, after a possible move to talk.
        queue: Queue,
        /// Since when, in milliseconds since 1970.
        since_ms: i64,
    },
    /// In a room.
    Room(RoomView),
}

impl Place {
    /// The room, if it is one.
    #[must_use]
    pub fn room(&self) -> Option<&RoomView> {
        match self {
            Self::Room(room) => Some(room),
            Self::Idle | Self::Waiting { .. } => None,
        }
    }
}

/// A room from one member's side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoomView {
    /// Which.
    pub room: RoomId,
    /// The other one.
    pub partner: UserId,
    /// This member has entered.
    pub joined: bool,
    /// Both have entered: the conversation has begun.
    pub begun: bool,
    /// The other one has a live connection.
    pub partner_connected: bool,
}
