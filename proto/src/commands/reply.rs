//! Replies to commands and requests.

use super::Queue;
use crate::{
    ids::{RoomId, UserId},
    presence::Register,
};
use serde::{Deserialize, Serialize};
use strum::VariantNames;

/// The result of a command.
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
    /// Is in no room, or not in that one, or it is closed.
    NotInRoom,
    /// There is no such message in the room.
    UnknownMessage,
    /// The room holds as much as a room may hold: [`crate::notification::ROOM_MESSAGES`],
    /// [`crate::notification::ROOM_BYTES`].
    RoomFull,
    /// Came too late: its gateway no longer waits for it, or a newer command has been applied.
    Outdated,
    /// It failed again and again and was dead-lettered. A new command may work.
    Failed,
}

/// A user as the matcher has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserView {
    /// Who.
    pub user: UserId,
    /// The newest connection; none when the matcher knows of none. Only users with an open one are matched.
    pub connection: Option<Register>,
    /// The last room sequence that certainly reached an earlier connection.
    pub delivered_seq: u64,
    /// Where they are.
    #[serde(flatten)]
    pub state: UserState,
}

/// Where a user is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, VariantNames)]
#[serde(tag = "state", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum UserState {
    /// Nowhere: has not queued, or the room is closed.
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

impl UserState {
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
    /// The other member.
    pub partner: UserId,
    /// This member has entered.
    pub entered: bool,
    /// Both have entered: the conversation has started.
    pub started: bool,
    /// This member has not been notified that the other's connection is lost.
    pub partner_connected: bool,
}
