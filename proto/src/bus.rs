//! Publishing, decoding, replying, dead letters.

use crate::{
    commands::{Command, Reply, VERSION},
    context,
    events::Live,
    ids::{CommandId, RoomId, UserId},
    numbers,
    operators::{Happened, RoomEvent},
    subjects,
};
use async_nats::{
    Client, Request, Subject,
    jetstream::{self, AckKind, context::PublishAckFuture},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::Instrument as _;

/// Names where the answer to a command goes. JetStream takes NATS' own reply for itself.
pub const REPLY_TO: &str = "Talk-Reply-To";
/// What the server itself answers to everybody.
const WHO_AM_I: &str = "$SYS.REQ.USER.INFO";
/// How long it may take.
const ANSWERS: Duration = Duration::from_secs(1);
/// The header that says why a dead letter is dead.
pub const REASON: &str = "Talk-Reason";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What can go wrong on the bus.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// There is no connection to NATS right now.
    #[error("NATS is away")]
    Away,
    /// The bus did not take it. Asking again is safe.
    #[error("the bus did not take a message on {subject}: {source}")]
    Publish {
        /// Where.
        subject: Subject,
        /// What the client says.
        source: async_nats::Error,
    },
    /// Nobody answered in time, or the answer was nonsense.
    #[error("no good answer on {subject}: {source}")]
    Request {
        /// Where.
        subject: Subject,
        /// What the client says.
        source: async_nats::Error,
    },
}

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

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u8,
    at_ms: i64,
    #[serde(flatten)]
    body: T,
}

/// A connection to the bus. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    /// Core NATS.
    pub client: Client,
    /// JetStream.
    pub js: jetstream::Context,
}

impl Bus {
    /// Over an open connection.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let js = jetstream::ContextBuilder::new().ack_timeout(PATIENCE).build(client.clone());
        Self { client, js }
    }

    /// Publishes a command. What is published first is first in the stream; the returned
    /// future resolves when the stream has it.
    ///
    /// # Errors
    /// When it could not even be sent.
    pub async fn command<C: Command>(
        &self,
        id: CommandId,
        command: &C,
        reply_to: Option<&Subject>,
    ) -> Result<PublishAckFuture, BusError> {
        let subject = command.subject();
        let span = tracing::debug_span!("publish", otel.kind = "producer", bus.subject = %subject);
        async {
            let mut message = jetstream::message::PublishMessage::build().payload(encode(command));
            if let Some(headers) = context::headers() {
                message = message.headers(headers);
            }
            message = message.message_id(id.to_string());
            if let Some(reply_to) = reply_to {
                message = message.header(REPLY_TO, reply_to.as_str());
            }
            let sent = self.js.send_publish(subject.clone(), message).await;
            sent.map_err(|error| BusError::Publish { subject, source: error.into() })
        }
        .instrument(span)
        .await
    }

    /// Tells one user something, now or never.
    ///
    /// # Errors
    /// When it could not be sent.
    pub async fn tell(&self, room: Option<RoomId>, user: UserId, live: &Live) -> Result<(), BusError> {
        self.publish(subjects::live(live, room, user), live).await
    }

    /// Tells operators what happened in a room. Nothing depends on it: what cannot be told is not.
    pub async fn report(&self, room: RoomId, happened: Happened) {
        let subject = subjects::room_event(&happened, room);
        let event = RoomEvent { room, at_ms: now_ms(), happened };
        if let Err(error) = self.publish(subject, &event).await {
            tracing::debug!(room.id = %room, %error, "operators miss an event");
        }
    }

    /// Publishes on core NATS, if the connection is up: later it would be of no use.
    ///
    /// # Errors
    /// When it could not be sent.
    pub async fn publish<T: Serialize + Sync>(&self, subject: Subject, payload: &T) -> Result<(), BusError> {
        if !self.connected() {
            return Err(BusError::Away);
        }
        let sent = match context::headers() {
            Some(headers) => self.client.publish_with_headers(subject.clone(), headers, json(payload)).await,
            None => self.client.publish(subject.clone(), json(payload)).await,
        };
        sent.map_err(|error| BusError::Publish { subject, source: error.into() })
    }

    /// Asks a service and waits for its answer, 5 s at most.
    ///
    /// # Errors
    /// When nobody answers in time, or nonsense.
    pub async fn request<Q: Serialize + Sync, A: DeserializeOwned>(
        &self,
        subject: Subject,
        question: &Q,
    ) -> Result<A, BusError> {
        let fail = |source| BusError::Request { subject: subject.clone(), source };
        if !self.connected() {
            return Err(BusError::Away);
        }
        let asked = Request { payload: Some(json(question)), headers: context::headers(), ..Request::default() };
        // The client's own time-out begins only when the question is on its way.
        let asking = tokio::time::timeout(PATIENCE, self.client.send_request(subject.clone(), asked));
        let answer = asking.await.map_err(|e| fail(e.into()))?.map_err(|e| fail(e.into()))?;
        serde_json::from_slice(&answer.payload).map_err(|e| fail(e.into()))
    }

    /// True when NATS answers within a second: a server that hangs keeps its connections.
    pub async fn answers(&self) -> bool {
        let asked = tokio::time::timeout(ANSWERS, self.client.request(WHO_AM_I, Bytes::new()));
        // Also an error is an answer, for instance that this may not be asked.
        self.connected() && asked.await.is_ok()
    }

    /// True while the connection to NATS is up.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }
}

/// A command as it is published.
#[must_use]
pub fn encode<C: Serialize>(command: &C) -> Bytes {
    json(&Envelope { v: VERSION, at_ms: now_ms(), body: command })
}

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::expect_used, reason = "our own types have string keys and no fallible serializer")]
fn json<T: Serialize>(payload: &T) -> Bytes {
    serde_json::to_vec(payload).expect("our own types are JSON").into()
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

    /// How long ago it came into the stream, by the server's clock: those of gateways may be off.
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
    /// When it could not be sent.
    pub async fn reply<T: Serialize + Sync>(&self, bus: &Bus, reply: &Reply<T>) -> Result<(), BusError> {
        let to = self.raw.headers.as_ref().and_then(|headers| headers.get(REPLY_TO));
        match to.filter(|to| subjects::is_reply(to.as_str())) {
            Some(to) => bus.publish(to.as_str().into(), reply).await,
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
    let fail = |source| BusError::Publish { subject: subject.clone(), source };
    // Without the answer's address, whose client is long gone, and without the id, so that a
    // replay is not taken for a duplicate.
    let mut headers = context::headers().unwrap_or_default();
    headers.insert(REASON, reason);
    bus.js
        .publish_with_headers(subject.clone(), headers, message.payload.clone())
        .await
        .map_err(|e| fail(e.into()))?
        .await
        .map_err(|e| fail(e.into()))?;
    message.ack_with(AckKind::Term).await.map_err(fail)?;
    metrics::counter!(numbers::DEAD_LETTERS).increment(1);
    tracing::error!(bus.subject = %message.subject, reason, "a command went to the dead letters");
    Ok(())
}
