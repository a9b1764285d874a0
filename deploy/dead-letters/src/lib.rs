//! Commands that could not be applied lie in the stream `TALK_DEAD`: this lists them, shows them without what
//! people wrote, and replays them into the stream that they came from.
//!
//! - [`DeadLetters`]: the stream, one method for each thing an operator does.
//! - [`redacted`]: a payload without its text.

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
use proto::{bus::REASON, streams, subjects};
use serde_json::{Value, json};

/// The stream of dead letters.
pub struct DeadLetters {
    js: jetstream::Context,
    stream: Stream<()>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Its number, by which it is shown and replayed.
    pub number: u64,
    /// When it died, in seconds since 1970.
    pub died_at: i64,
    /// Where it was to be applied; its last part names the user or the room.
    pub subject: Subject,
    /// Why it could not be.
    pub reason: String,
    payload: bytes::Bytes,
}

impl DeadLetters {
    /// Opens the stream.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn open(client: Client) -> anyhow::Result<Self> {
        let js = jetstream::new(client);
        let stream = js.get_stream_no_info(streams::DEAD).await.context("opening the stream of dead letters")?;
        Ok(Self { js, stream })
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// When NATS does not answer.
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

    /// One of them.
    ///
    /// # Errors
    /// When there is none with this number.
    pub async fn get(&self, number: u64) -> anyhow::Result<DeadLetter> {
        let message = self.stream.get_raw_message(number).await;
        DeadLetter::read(message.with_context(|| format!("there is no dead letter {number}"))?)
    }

    /// Publishes one where it came from, and takes it out of the dead letters. When this is cut off half-way
    /// and done again within two minutes, the command is still there only once.
    ///
    /// # Errors
    /// When the stream does not take it; then it stays a dead letter.
    pub async fn replay(&self, letter: &DeadLetter) -> anyhow::Result<()> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, format!("replay-{}-{}", letter.number, letter.died_at).as_str());
        let publish = self.js.publish_with_headers(letter.subject.clone(), headers, letter.payload.clone());
        publish.await.context("publishing")?.await.context("publishing")?;
        let deleted = self.stream.delete_message(letter.number).await.context("deleting the dead letter")?;
        ensure!(deleted, "dead letter {} was replayed and is still there", letter.number);
        Ok(())
    }
}

impl DeadLetter {
    fn read(message: StreamMessage) -> anyhow::Result<Self> {
        let subject = subjects::before_death(&message.subject).context("not the subject of a dead letter")?;
        let reason = message.headers.get(REASON).map_or("unknown", |reason| reason.as_str()).to_owned();
        let died_at = message.time.unix_timestamp();
        Ok(Self { number: message.sequence, died_at, subject, reason, payload: message.payload })
    }

    /// What it holds, without what somebody wrote.
    #[must_use]
    pub fn redacted(&self) -> String {
        redacted(&self.payload)
    }

    /// What it holds, with what somebody wrote. Not for logs.
    #[must_use]
    pub fn content(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// Fields of commands that say who, when and what kind: everything else may be somebody's words.
const HARMLESS: [&str; 13] = [
    "v",
    "at_ms",
    "type",
    "user",
    "queue",
    "settle_ms",
    "gateway",
    "reassert",
    "epoch",
    "seen",
    "cause",
    "room",
    "author",
];

/// A payload whose texts are replaced by their length; one that is no command is replaced as a whole.
#[must_use]
pub fn redacted(payload: &[u8]) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(payload) else {
        return format!("[{} bytes that are no command]", payload.len());
    };
    for (name, value) in &mut fields {
        let short = value.is_number() || value.is_null() || value.as_str().is_some_and(|text| text.len() <= 64);
        if !(HARMLESS.contains(&name.as_str()) && short) {
            *value = json!(format!("[{} bytes]", value.as_str().map_or(value.to_string().len(), str::len)));
        }
    }
    Value::Object(fields).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_is_not_shown() {
        let payload =
            br#"{"v":1,"at_ms":5,"type":"message_sent","room":"r","author":"a","nonce":"n1","content":"help me"}"#;
        let expected = json!({
            "v": 1, "at_ms": 5, "type": "message_sent", "room": "r", "author": "a",
            "nonce": "[2 bytes]", "content": "[7 bytes]",
        });
        assert_eq!(serde_json::from_str::<Value>(&redacted(payload)).expect("JSON"), expected);
    }

    #[test]
    fn what_is_no_command_is_not_shown_at_all() {
        for payload in [&b"help me"[..], b"[\"help me\"]", b"\"help me\"", b"{\"user\":{\"help\":\"me\"}}"] {
            assert!(!redacted(payload).contains("help"), "{}", redacted(payload));
        }
    }
}
