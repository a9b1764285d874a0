//! The connection to the bus: publishing commands, telling, reporting, asking. What comes back is in
//! `delivery`; both together are what services know as the bus.

pub use crate::delivery::{Delivery, REASON, Undecodable, bury, decode_payload};

use crate::{
    commands::{Command, VERSION},
    context,
    events::Live,
    health::Needed,
    ids::{CommandId, RoomId, UserId},
    operators::{Happened, RoomEvent},
    subjects,
};
use async_nats::{
    Client, Request, Subject,
    client::PublishErrorKind,
    jetstream::{self, context::PublishAckFuture},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::Instrument as _;

/// Names where the answer to a command goes. JetStream takes NATS' own reply for itself.
pub const REPLY_TO: &str = "Talk-Reply-To";
/// What the server itself answers to everybody.
const WHO_AM_I: &str = "$SYS.REQ.USER.INFO";
/// How long the last that is published may take.
const FLUSHED: Duration = Duration::from_secs(1);

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

#[derive(Serialize, Deserialize)]
pub(crate) struct Envelope<T> {
    v: u8,
    pub(crate) at_ms: i64,
    #[serde(flatten)]
    pub(crate) body: T,
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
    /// When NATS is away. Anything else, for instance an event that is longer than NATS takes, is logged and left:
    /// it would fail again for ever, and nothing after it would be done.
    pub async fn tell(&self, room: Option<RoomId>, user: UserId, live: &Live) -> Result<(), BusError> {
        self.say(subjects::live(live, room, user), live).await
    }

    /// Publishes what may fail again and again by its own fault, and leaves it then.
    pub(crate) async fn say<T: Serialize + Sync>(&self, subject: Subject, payload: &T) -> Result<(), BusError> {
        match self.publish(subject, payload).await {
            Err(BusError::Away) => Err(BusError::Away),
            Err(error) => {
                tracing::warn!("nobody hears of it: {error}");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
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
        sent.map_err(|error| match error.kind() {
            PublishErrorKind::Send => BusError::Away,
            _ => BusError::Publish { subject, source: error.into() },
        })
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
        let asked = Request {
            payload: Some(json(question)),
            headers: context::headers(),
            timeout: Some(Some(PATIENCE)),
            ..Request::default()
        };
        // The client's own time-out begins only when the question is on its way.
        let asking = tokio::time::timeout(PATIENCE, self.client.send_request(subject.clone(), asked));
        let answer = asking.await.map_err(|e| fail(e.into()))?.map_err(|e| fail(e.into()))?;
        serde_json::from_slice(&answer.payload).map_err(|e| fail(e.into()))
    }

    /// NATS, as what a service cannot work without.
    #[must_use]
    pub fn needed(&self) -> Needed {
        let bus = self.clone();
        Needed::new("NATS", move || {
            let bus = bus.clone();
            async move { bus.answers().await }
        })
    }

    /// Waits for an answer of NATS: a server that hangs keeps its connections.
    async fn answers(&self) -> bool {
        if !self.connected() {
            return false;
        }
        // Also an error is an answer, for instance that this may not be asked.
        drop(self.client.request(WHO_AM_I, Bytes::new()).await);
        true
    }

    /// Sends what is still on its way out, before the process ends: the last answers. What NATS does not take
    /// within a second is given up; whoever waits for it asks again.
    pub async fn flush(&self) {
        let sent = tokio::time::timeout(FLUSHED, self.client.flush());
        if !(self.connected() && matches!(sent.await, Ok(Ok(())))) {
            tracing::warn!("NATS is away: the last answers may not have been sent");
        }
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
