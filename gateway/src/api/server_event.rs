//! What clients receive over their socket: name and payload of each event, and nothing else is emitted. An event is
//! rendered once, so that its size on the wire is known before it is sent.

use proto::{
    Message, MessageId, Queue, RoomId, UserId,
    bus::now_ms,
    notification::{EndReason, QueueStatus},
};
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;
use strum::{IntoStaticStr, VariantNames};

/// An event with its payload. Variants without one have no argument on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, IntoStaticStr, VariantNames)]
#[serde(untagged)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum ServerEvent {
    /// After every connect of a current client: where its user is, and what it missed.
    Resumed {
        user_id: UserId,
        #[serde(flatten)]
        state: ResumedState,
    },
    /// After each round of matching, while waiting.
    QueueStatus { queue: Queue, waited_ms: i64, waiting: QueueStatus },
    /// Moved to talk.
    QueueChanged { from: Queue, to: Queue },
    /// Matched. The receiver's own id.
    QueueComplete { user_id: UserId },
    /// The partner vanished before the conversation started.
    QueueReturned { queue: Queue, waited_ms: i64 },
    /// The partner has entered, or is back.
    UserConnected,
    /// The partner's connection is lost.
    UserDisconnected,
    /// The partner wrote this.
    SendMessageToClient(Sent),
    /// A message was liked.
    MessageLiked { message_id: MessageId, user_id: UserId },
    /// The partner started typing.
    PartnerStartsTyping,
    /// The partner stopped typing.
    PartnerStopsTyping,
    /// The conversation is over.
    RoomEnded { reason: EndReason },
    /// A newer connection speaks for this user; this one is closed.
    Replaced,
}

/// Where a current client's user is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum ResumedState {
    Idle,
    /// The room that it comes back for is over.
    Over,
    Waiting {
        queue: Queue,
        waited_ms: i64,
    },
    Room {
        room_id: RoomId,
        partner_connected: bool,
        last_seq: u64,
        messages: Vec<Sent>,
        /// Another `resumed` follows with later messages.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    },
}

/// A message as the clients' contract has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    message: Message,
    /// The partner wrote it.
    incoming: bool,
}

impl Sent {
    /// As this user receives it.
    pub(crate) fn to(user: UserId, message: Message) -> Self {
        Self { incoming: message.author != user, message }
    }
}

impl Serialize for Sent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct OnTheWire<'a> {
            #[serde(flatten)]
            message: &'a Message,
            message_id: &'a str,
            incoming: bool,
        }
        let Self { message, incoming } = self;
        OnTheWire { message, message_id: &message.nonce, incoming: *incoming }.serialize(serializer)
    }
}

/// An event, ready to be sent.
#[derive(Debug)]
pub(crate) struct Rendered {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its payload; none without an argument.
    pub(crate) payload: Option<Box<RawValue>>,
    /// The room sequence, of a message.
    pub(crate) seq: Option<u64>,
}

impl Rendered {
    /// Its length on the wire: `42["name",payload]`.
    pub(crate) fn bytes(&self) -> usize {
        self.name.len() + self.payload.as_ref().map_or(0, |payload| payload.get().len() + 1) + 6
    }
}

impl ServerEvent {
    /// The name on the wire.
    pub(crate) fn name(&self) -> &'static str {
        self.into()
    }

    /// Serializes it.
    ///
    /// # Errors
    /// Never for our own types, which are JSON.
    pub(crate) fn render(&self) -> Result<Rendered, serde_json::Error> {
        let payload = match self {
            Self::UserConnected
            | Self::UserDisconnected
            | Self::PartnerStartsTyping
            | Self::PartnerStopsTyping
            | Self::Replaced => None,
            with_payload => Some(serde_json::value::to_raw_value(with_payload).map_err(serde_json::Error::custom)?),
        };
        let seq = match self {
            Self::SendMessageToClient(sent) => Some(sent.message.seq),
            _ => None,
        };
        Ok(Rendered { name: self.name(), payload, seq })
    }
}

/// How long somebody has waited since then, in milliseconds. Never less than nothing: clocks differ.
pub(crate) fn waited_ms(since_ms: i64) -> i64 {
    (now_ms() - since_ms).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_on_the_wire_is_counted_before_it_is_sent() {
        let plain = ServerEvent::UserConnected.render().expect("rendered");
        assert_eq!(plain.bytes(), r#"42["user_connected"]"#.len());
        let changed = ServerEvent::QueueChanged { from: Queue::Vent, to: Queue::Talk }.render().expect("rendered");
        assert_eq!(changed.bytes(), r#"42["queue_changed",{"from":"vent","to":"talk"}]"#.len());
    }
}
