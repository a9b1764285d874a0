//! What clients send over their socket: name and arguments of each event, and nothing else is understood. The first
//! four are those of legacy clients, whose only argument is the bare secret; current clients send objects.

use crate::api::error::ApiError;
use proto::Queue;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use strum::{EnumDiscriminants, EnumString, IntoStaticStr, VariantNames};

/// An event with its arguments.
#[derive(Debug, PartialEq, EnumDiscriminants)]
#[strum_discriminants(
    name(ClientEventName),
    vis(pub(crate)),
    doc = "The name of an event.",
    derive(EnumString, IntoStaticStr, VariantNames),
    strum(serialize_all = "snake_case")
)]
pub(crate) enum ClientEvent {
    /// This socket speaks for the user of this secret.
    Hello(Secret),
    /// The same, by the name of the second legacy client.
    RegisterSid(Secret),
    /// Enter the room that `queue_complete` announced.
    JoinRoom(Secret),
    /// Leave the room, or the queue.
    LeaveRoom(Secret),
    /// Wait for a partner.
    RequestQueue(RequestQueue),
    /// Send a message to the partner.
    SendMessage(SendMessage),
    /// Like a message.
    LikeMessage(LikeMessage),
    /// The client started or stopped typing.
    Typing(Typing),
}

/// The bare secret of a legacy client; none for any other argument, which legacy clients are not told of.
#[derive(PartialEq)]
pub(crate) struct Secret(pub(crate) Option<String>);

impl std::fmt::Debug for Secret {
    // Never shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// `request_queue`.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct RequestQueue {
    pub(crate) queue: Queue,
}

/// `send_message`.
#[derive(PartialEq, Deserialize)]
pub(crate) struct SendMessage {
    pub(crate) content: String,
    pub(crate) nonce: String,
}

impl std::fmt::Debug for SendMessage {
    // Without the text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SendMessage {}", self.nonce)
    }
}

/// `like_message`.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct LikeMessage {
    pub(crate) message_id: String,
}

/// `typing`.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Typing {
    pub(crate) typing: bool,
}

impl ClientEventName {
    /// The event of this name, if there is one.
    pub(crate) fn find(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// On the wire.
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether current clients alone send it, with an acknowledgement, once they are identified.
    pub(crate) fn is_current(self) -> bool {
        match self {
            Self::RequestQueue | Self::SendMessage | Self::LikeMessage | Self::Typing => true,
            Self::Hello | Self::RegisterSid | Self::JoinRoom | Self::LeaveRoom => false,
        }
    }

    /// Parses the arguments.
    ///
    /// # Errors
    /// `BadRequest` when a current client sends something else.
    pub(crate) fn parse(self, data: Option<Value>) -> Result<ClientEvent, ApiError> {
        Ok(match self {
            Self::Hello => ClientEvent::Hello(secret(data)),
            Self::RegisterSid => ClientEvent::RegisterSid(secret(data)),
            Self::JoinRoom => ClientEvent::JoinRoom(secret(data)),
            Self::LeaveRoom => ClientEvent::LeaveRoom(secret(data)),
            Self::RequestQueue => ClientEvent::RequestQueue(object(data)?),
            Self::SendMessage => ClientEvent::SendMessage(object(data)?),
            Self::LikeMessage => ClientEvent::LikeMessage(object(data)?),
            Self::Typing => ClientEvent::Typing(object(data)?),
        })
    }
}

fn secret(data: Option<Value>) -> Secret {
    match data {
        Some(Value::String(secret)) => Secret(Some(secret)),
        _ => Secret(None),
    }
}

fn object<T: DeserializeOwned>(data: Option<Value>) -> Result<T, ApiError> {
    let data = data.ok_or_else(|| ApiError::bad("an object is expected"))?;
    serde_json::from_value(data).map_err(|error| ApiError::bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(name: &str, data: Value) -> Option<ClientEvent> {
        ClientEventName::find(name)?.parse(Some(data)).ok()
    }

    #[test]
    fn an_event_has_its_name_and_its_arguments_or_is_refused() {
        let queue = |queue| Some(ClientEvent::RequestQueue(RequestQueue { queue }));
        for (name, data, expected) in [
            ("request_queue", json!({"queue": "vent"}), queue(Queue::Vent)),
            ("request_queue", json!({"queue": "shout"}), None),
            ("request_queue", json!("vent"), None),
            ("send_message", json!({"content": {"$ne": 1}, "nonce": "n"}), None),
            ("typing", json!({"typing": true}), Some(ClientEvent::Typing(Typing { typing: true }))),
            ("typing", json!(null), None),
            ("hello", json!("s"), Some(ClientEvent::Hello(Secret(Some("s".to_owned()))))),
            ("hello", json!({"secret": "s"}), Some(ClientEvent::Hello(Secret(None)))),
            ("Hello", json!("s"), None),
            ("no_such_event", json!({}), None),
        ] {
            assert_eq!(parse(name, data.clone()), expected, "{name} {data}");
        }
    }

    #[test]
    fn neither_a_secret_nor_a_text_is_shown() {
        let events =
            [parse("hello", json!("hidden")), parse("send_message", json!({"content": "hidden", "nonce": "n"}))];
        assert!(!format!("{events:?}").contains("hidden"));
    }
}
