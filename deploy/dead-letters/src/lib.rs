//! Commands that could not be applied are in the stream `TALK_DEAD`. This crate lists them, shows them without the texts
//! of users, and replays them into the stream that they came from.
//!
//! - [`DeadLetters`]: the stream, one method for each action of an operator.
//! - [`redacted`]: a payload without its texts.

use anyhow::{Context, ensure};
use async_nats::{
    Client, HeaderMap, Subject,
    header::NATS_MESSAGE_ID,
    jetstream::{
        self,
        message::StreamMessage,
        stream::{LastRawMessageErrorKind, Stream},
    },
};
use proto::{ConnectionStamp, bus::REASON, streams, subjects};
use serde::Deserialize as _;
use serde_json::{Value, json};

/// The stream of dead letters.
pub struct DeadLetters {
    js: jetstream::Context,
    stream: Stream<()>,
}

/// A command that could not be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Its sequence in the stream, by which it is shown and replayed.
    pub number: u64,
    /// When it was dead-lettered, in seconds since 1970.
    pub stored_at: i64,
    /// The subject of the command; its last token is the user or the room.
    pub subject: Subject,
    /// Why it could not be applied.
    pub reason: String,
    payload: bytes::Bytes,
}

impl DeadLetters {
    /// Opens the stream.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn open(client: Client) -> anyhow::Result<Self> {
        let js = jetstream::new(client);
        let stream = js.get_stream_no_info(streams::DEAD).await.context("opening the stream of dead letters")?;
        Ok(Self { js, stream })
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// When NATS does not reply.
    pub async fn list(&self) -> anyhow::Result<Vec<DeadLetter>> {
        let mut letters = Vec::new();
        let mut from = 1;
        loop {
            match self.stream.get_first_raw_message_by_subject(subjects::DEAD_LETTERS, from).await {
                Ok(message) => {
                    from = message.sequence + 1;
                    letters.push(DeadLetter::read(message)?);
                }
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => return Ok(letters),
                Err(error) => return Err(error).context("reading dead letters"),
            }
        }
    }

    /// The dead letter of this number.
    ///
    /// # Errors
    /// When there is none.
    pub async fn get(&self, number: u64) -> anyhow::Result<DeadLetter> {
        let message = self.stream.get_raw_message(number).await;
        DeadLetter::read(message.with_context(|| format!("there is no dead letter {number}"))?)
    }

    /// Publishes the command to its subject again, and deletes the dead letter. If this is interrupted and repeated
    /// within two minutes, the stream holds the command only once.
    ///
    /// # Errors
    /// When the stream does not accept the command; then it stays a dead letter.
    pub async fn replay(&self, letter: &DeadLetter) -> anyhow::Result<()> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, format!("replay-{}-{}", letter.number, letter.stored_at).as_str());
        let publish = self.js.publish_with_headers(letter.subject.clone(), headers, letter.payload.clone());
        publish.await.context("publishing")?.await.context("publishing")?;
        let deleted = self.stream.delete_message(letter.number).await.context("deleting the dead letter")?;
        ensure!(deleted, "dead letter {} was replayed and not deleted", letter.number);
        Ok(())
    }
}

impl DeadLetter {
    fn read(message: StreamMessage) -> anyhow::Result<Self> {
        let subject = subjects::original_subject(&message.subject).context("not the subject of a dead letter")?;
        let reason = message.headers.get(REASON).map_or("unknown", |reason| reason.as_str()).to_owned();
        let stored_at = message.time.unix_timestamp();
        Ok(Self { number: message.sequence, stored_at, subject, reason, payload: message.payload })
    }

    /// The payload without texts.
    #[must_use]
    pub fn redacted(&self) -> String {
        redacted(&self.payload)
    }

    /// The payload with texts. Not for logs.
    #[must_use]
    pub fn content(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// Fields of commands that hold ids, times and kinds. All others may hold texts of users.
const WITHOUT_TEXT: [&str; 10] =
    ["v", "at_ms", "type", "user", "queue", "settle_ms", "delivered_seq", "cause", "room", "author"];

/// A payload whose texts are replaced by their length; one that is no command is replaced as a whole.
#[must_use]
pub fn redacted(payload: &[u8]) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(payload) else {
        return format!("[{} bytes that are no command]", payload.len());
    };
    for (name, value) in &mut fields {
        *value = redacted_field(name, value);
    }
    Value::Object(fields).to_string()
}

fn redacted_field(name: &str, value: &Value) -> Value {
    if let Ok(stamp) = ConnectionStamp::deserialize(value)
        && name == "stamp"
    {
        return json!(stamp);
    }
    let short = value.is_number() || value.is_null() || value.as_str().is_some_and(|text| text.len() <= 64);
    if WITHOUT_TEXT.contains(&name) && short {
        return value.clone();
    }
    json!(format!("[{} bytes]", value.as_str().map_or(value.to_string().len(), str::len)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_not_shown() {
        let payload =
            br#"{"v":1,"at_ms":5,"type":"message_sent","room":"r","author":"a","nonce":"n1","content":"help me"}"#;
        let expected = json!({
            "v": 1, "at_ms": 5, "type": "message_sent", "room": "r", "author": "a",
            "nonce": "[2 bytes]", "content": "[7 bytes]",
        });
        assert_eq!(serde_json::from_str::<Value>(&redacted(payload)).expect("JSON"), expected);
    }

    #[test]
    fn the_stamp_of_a_connection_is_shown_and_nothing_in_its_place() {
        let stamp = json!({"opened_at_ms": 5, "gateway": "gateway-1", "counter": 7});
        let shown = |stamp: &Value| {
            let payload = json!({"type": "connected", "stamp": stamp}).to_string();
            serde_json::from_str::<Value>(&redacted(payload.as_bytes())).expect("JSON")["stamp"].clone()
        };
        assert_eq!(shown(&stamp), stamp);
        let mut with_text = stamp.clone();
        with_text["text"] = json!("help me");
        assert_eq!(shown(&with_text), stamp);
        assert_eq!(shown(&json!({"gateway": "help me"})), json!("[21 bytes]"));
    }

    #[test]
    fn a_payload_that_is_no_command_is_not_shown_at_all() {
        for payload in [&b"help me"[..], b"[\"help me\"]", b"\"help me\"", b"{\"user\":{\"help\":\"me\"}}"] {
            assert!(!redacted(payload).contains("help"), "{}", redacted(payload));
        }
    }
}
