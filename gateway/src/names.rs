//! The names of all socket events: nothing else is understood, and nothing else can be emitted.
//! `proto/asyncapi.yaml` describes each one; `contract` holds both against each other.

use strum::{EnumString, IntoStaticStr, VariantNames};

/// What clients say.
#[derive(Clone, Copy, Debug, EnumString, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Said {
    Hello,
    RegisterSid,
    JoinRoom,
    LeaveRoom,
    RequestQueue,
    SendMessage,
    LikeMessage,
    Typing,
}

/// What clients are told.
#[derive(Clone, Copy, Debug, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Told {
    Resumed,
    QueueStatus,
    QueueChanged,
    QueueComplete,
    QueueReturned,
    UserConnected,
    UserDisconnected,
    SendMessageToClient,
    MessageLiked,
    PartnerStartsTyping,
    PartnerStopsTyping,
    RoomEnded,
    Replaced,
}

impl Told {
    /// On the wire.
    pub(crate) fn name(self) -> &'static str {
        self.into()
    }
}
