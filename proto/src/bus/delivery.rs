//! A command as it was delivered: decoding it, replying to it, and dead-lettering what cannot be applied.

use crate::{
    bus::{
        client::{Bus, BusError, REPLY_TO},
        envelope::Envelope,
        subjects, trace_context,
    },
    commands::{Command, Reply, VERSION},
    process::metrics,
};
use async_nats::{
    HeaderMap, Subject,
    jetstream::{self, AckKind, context::PublishErrorKind},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The header that says why a dead letter is dead.
pub const REASON: &str = "Talk-Reason";

/// Why a payload is not a command.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// Not the JSON that it should be.
    #[error("not a known command: line {}, column {}", .0.line(), .0.column())]
    Json(serde_json::Error),
    /// Of another version.
    #[error("payload version {0}, this program speaks {VERSION}")]
    Version(u8),
    /// Not from JetStream.
    #[error("no JetStream delivery")]
    NotJetStream,
}

/// A command as it was delivered, with what is needed to reply to it and to acknowledge it.
pub struct Delivery<C> {
    /// The command.
    pub command: C,
    /// When it was published, in milliseconds since 1970, by the publisher's clock.
    pub at_ms: i64,
    /// Its sequence in the stream.
    pub sequence: u64,
    /// The raw message: how often it was delivered, its headers, its acknowledgement.
    pub raw: jetstream::Message,
}

impl<C: Command> Delivery<C> {
    /// Decodes a message.
    ///
    /// # Errors
    /// When it is no command; the message comes back with the reason, for the dead letters.
    #[expect(clippy::result_large_err, reason = "the message has to come back")]
    pub fn decode(raw: jetstream::Message) -> Result<Self, (jetstream::Message, Undecodable)> {
        match decode(&raw) {
            Ok((command, at_ms, sequence)) => Ok(Self { command, at_ms, sequence, raw }),
            Err(reason) => Err((raw, reason)),
        }
    }

    /// When the stream stored it, in milliseconds since 1970, by the server's clock.
    #[must_use]
    pub fn stored_at_ms(&self) -> i64 {
        let stored = self.raw.info().map(|info| i64::try_from(info.published.unix_timestamp_nanos() / 1_000_000));
        stored.ok().and_then(Result::ok).unwrap_or(self.at_ms)
    }

    /// Where the reply goes, if one is expected. Only a subject of replies: a gateway cannot have the matcher publish
    /// in its stead.
    #[must_use]
    pub fn reply_to(&self) -> Option<&str> {
        let to = self.raw.headers.as_ref()?.get(REPLY_TO)?.as_str();
        subjects::is_reply(to).then_some(to)
    }

    /// Which delivery of this command it is: 1 for the first.
    #[must_use]
    pub fn attempt(&self) -> i64 {
        self.raw.info().map_or(1, |info| info.delivered)
    }

    /// Replies to the publisher, if a reply is expected.
    ///
    /// # Errors
    /// When NATS is unavailable. A reply that it would never accept is logged and dropped, as in
    /// [`Bus::publish_best_effort`].
    pub async fn reply<T: Serialize + Sync>(&self, bus: &Bus, reply: &Reply<T>) -> Result<(), BusError> {
        match self.reply_to() {
            Some(to) => bus.publish_best_effort(to.into(), reply).await,
            None => Ok(()),
        }
    }
}

fn decode<C: DeserializeOwned>(raw: &jetstream::Message) -> Result<(C, i64, u64), Undecodable> {
    let (body, at_ms) = decode_payload(&raw.payload)?;
    let sequence = raw.info().map_err(|_| Undecodable::NotJetStream)?.stream_sequence;
    Ok((body, at_ms, sequence))
}

/// A command and when it was published, from the bytes alone.
///
/// # Errors
/// When it is no command.
pub fn decode_payload<C: DeserializeOwned>(payload: &[u8]) -> Result<(C, i64), Undecodable> {
    #[derive(Deserialize)]
    struct Version {
        v: u8,
    }
    let Version { v } = serde_json::from_slice(payload).map_err(Undecodable::Json)?;
    if v != VERSION {
        return Err(Undecodable::Version(v));
    }
    let envelope: Envelope<C> = serde_json::from_slice(payload).map_err(Undecodable::Json)?;
    Ok((envelope.body, envelope.at_ms))
}

/// Dead-letters a message: stores it in the stream of dead letters and takes it out of its own. Logs it, once.
///
/// # Errors
/// When NATS does not accept it; then it stays where it is and is delivered again.
pub async fn dead_letter(bus: &Bus, message: &jetstream::Message, reason: &str) -> Result<(), BusError> {
    let subject = subjects::dead_letter(&message.subject);
    store(bus, &subject, message.payload.clone(), reason)
        .await
        .map_err(|error| BusError::Publish { subject: subject.clone(), source: error.into() })?;
    message.ack_with(AckKind::Term).await.map_err(|source| BusError::Publish { subject, source })?;
    ::metrics::counter!(metrics::DEAD_LETTERS).increment(1);
    tracing::error!(bus.subject = %message.subject, reason, "command dead-lettered");
    Ok(())
}

async fn store(
    bus: &Bus,
    subject: &Subject,
    payload: Bytes,
    reason: &str,
) -> Result<(), jetstream::context::PublishError> {
    let sent = match bus.js.publish_with_headers(subject.clone(), reason_headers(reason), payload.clone()).await {
        // As long as NATS accepts at all: there is no room for a reason.
        Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
            bus.js.publish(subject.clone(), payload).await
        }
        sent => sent,
    };
    sent?.await.map(drop)
}

/// The headers of a dead letter: without the reply subject, whose client has given up, and without the id,
/// so that a replay is not taken for a duplicate.
fn reason_headers(reason: &str) -> HeaderMap {
    let mut headers = trace_context::headers().unwrap_or_default();
    // Errors of servers may have several lines, which a header cannot have.
    headers.insert(REASON, reason.replace(char::is_control, " "));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_several_lines_becomes_one() {
        let headers = reason_headers("MongoDB says:\r\nno\t\0");
        assert_eq!(headers.get(REASON).map(|reason| reason.as_str()), Some("MongoDB says:  no  "));
    }
}
