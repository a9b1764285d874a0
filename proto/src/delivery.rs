//! A command as it was delivered: decoding it, answering it, and putting what cannot be applied among the
//! dead letters.

use crate::{
    bus::{Bus, BusError, Envelope, REPLY_TO, now_ms},
    commands::{Command, Reply, VERSION},
    context, numbers, subjects,
};
use async_nats::{
    HeaderMap, Subject,
    jetstream::{self, AckKind, context::PublishErrorKind},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;

/// The header that says why a dead letter is dead.
pub const REASON: &str = "Talk-Reason";

/// Why a payload is not a command.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// Not the JSON that it should be.
    #[error("not a known command: line {}, column {}", .0.line(), .0.column())]
    Json(serde_json::Error),
    /// From another time.
    #[error("payload version {0}, this program speaks {VERSION}")]
    Version(u8),
    /// Not from JetStream.
    #[error("no JetStream delivery")]
    NotJetStream,
}

/// A command as it was delivered, with what is needed to answer and acknowledge it.
pub struct Delivery<C> {
    /// What is asked for.
    pub command: C,
    /// When it was published, in milliseconds since 1970, by the publisher's clock.
    pub at_ms: i64,
    /// Its place in the stream.
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

    /// How long ago it came into the stream: from the server's time of that to the time of this host, since the clocks
    /// of gateways may be off. This host's and the server's have to agree.
    #[must_use]
    pub fn age(&self) -> Duration {
        let published = self.raw.info().map_or(self.at_ms, |info| {
            i64::try_from(info.published.unix_timestamp_nanos() / 1_000_000).unwrap_or(self.at_ms)
        });
        Duration::from_millis(u64::try_from(now_ms() - published).unwrap_or(0))
    }

    /// Which delivery of this command it is: 1 for the first.
    #[must_use]
    pub fn attempt(&self) -> i64 {
        self.raw.info().map_or(1, |info| info.delivered)
    }

    /// Answers whoever asked, if anybody waits. An answer goes to where answers go: a gateway cannot have the matcher
    /// publish in its stead.
    ///
    /// # Errors
    /// When NATS is away. An answer that it would never take is logged and left, as in [`Bus::tell`].
    pub async fn reply<T: Serialize + Sync>(&self, bus: &Bus, reply: &Reply<T>) -> Result<(), BusError> {
        let to = self.raw.headers.as_ref().and_then(|headers| headers.get(REPLY_TO));
        match to.filter(|to| subjects::is_reply(to.as_str())) {
            Some(to) => bus.say(to.as_str().into(), reply).await,
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

/// Puts a message among the dead letters and takes it out of its stream. Logs it, once.
///
/// # Errors
/// When the bus does not take it; then it stays where it is and is delivered again.
pub async fn bury(bus: &Bus, message: &jetstream::Message, reason: &str) -> Result<(), BusError> {
    let subject = subjects::dead_letter(&message.subject);
    store(bus, &subject, message.payload.clone(), reason)
        .await
        .map_err(|error| BusError::Publish { subject: subject.clone(), source: error.into() })?;
    message.ack_with(AckKind::Term).await.map_err(|source| BusError::Publish { subject, source })?;
    metrics::counter!(numbers::BURIED).increment(1);
    tracing::error!(bus.subject = %message.subject, reason, "a command went to the dead letters");
    Ok(())
}

async fn store(
    bus: &Bus,
    subject: &Subject,
    payload: Bytes,
    reason: &str,
) -> Result<(), jetstream::context::PublishError> {
    let sent = match bus.js.publish_with_headers(subject.clone(), why(reason), payload.clone()).await {
        // As long as NATS takes at all, it has no room for a reason.
        Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
            bus.js.publish(subject.clone(), payload).await
        }
        sent => sent,
    };
    sent?.await.map(drop)
}

/// The headers of a dead letter: without the answer's address, whose client is long gone, and without the id,
/// so that a replay is not taken for a duplicate.
fn why(reason: &str) -> HeaderMap {
    let mut headers = context::headers().unwrap_or_default();
    // What servers say may have several lines, which a header cannot have.
    headers.insert(REASON, reason.replace(char::is_control, " "));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_several_lines_becomes_one() {
        let headers = why("MongoDB says:\r\nno\t\0");
        assert_eq!(headers.get(REASON).map(|reason| reason.as_str()), Some("MongoDB says:  no  "));
    }
}
