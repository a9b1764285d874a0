//! Publishing commands, notifications and events, and requests to other services.

use crate::{
    admin::{RoomEvent, RoomEventKind},
    bus::{
        envelope::{encode, json, now_ms},
        subjects, trace_context,
    },
    commands::Command,
    ids::{CommandId, RoomId, UserId},
    notification::Notification,
    process::health::Dependency,
    timing,
};
use async_nats::{
    Client, Request, Subject,
    client::{PublishErrorKind, RequestErrorKind},
    jetstream::{self, context::PublishAckFuture},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use tracing::Instrument as _;

/// The header that says where the reply to a command goes. JetStream takes NATS' own reply subject for itself.
pub const REPLY_TO: &str = "Talk-Reply-To";
/// A subject on which the server itself replies to everybody.
const USER_INFO: &str = "$SYS.REQ.USER.INFO";
/// How long the flush before the end of the process may take.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// What can go wrong on the bus.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// There is no connection to NATS right now.
    #[error("NATS unavailable")]
    Unavailable,
    /// No service subscribes to the subject of a request.
    #[error("no responders on {subject}")]
    NoResponders {
        /// Where.
        subject: Subject,
    },
    /// NATS did not accept a message. Publishing it again is safe.
    #[error("not published on {subject}: {source}")]
    Publish {
        /// Where.
        subject: Subject,
        /// The client's error.
        source: async_nats::Error,
    },
    /// No reply in time, or one that cannot be decoded.
    #[error("no reply on {subject}: {source}")]
    Request {
        /// Where.
        subject: Subject,
        /// The client's error.
        source: async_nats::Error,
    },
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
        let js = jetstream::ContextBuilder::new().ack_timeout(timing::RESULT_DEADLINE).build(client.clone());
        Self { client, js }
    }

    /// Publishes a command. Commands are stored in the order of these calls; the returned future resolves when the
    /// stream has stored this one.
    ///
    /// # Errors
    /// When it could not even be sent.
    pub async fn publish_command<C: Command>(
        &self,
        id: CommandId,
        command: &C,
        reply_to: Option<&Subject>,
    ) -> Result<PublishAckFuture, BusError> {
        let subject = command.subject();
        let span = tracing::debug_span!("publish", otel.kind = "producer", bus.subject = %subject);
        async {
            let mut message = jetstream::message::PublishMessage::build().payload(encode(command));
            if let Some(headers) = trace_context::headers() {
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

    /// Notifies one user, best effort.
    ///
    /// # Errors
    /// When NATS is unavailable; see [`Self::publish_best_effort`].
    pub async fn notify_user(
        &self,
        room: Option<RoomId>,
        user: UserId,
        notification: &Notification,
    ) -> Result<(), BusError> {
        self.publish_best_effort(subjects::notification(notification.kind(), room, user), notification).await
    }

    /// Publishes what would fail again and again by its own fault, for instance because it is longer than NATS accepts:
    /// that is logged and dropped, or nothing after it would be done.
    ///
    /// # Errors
    /// When NATS is unavailable.
    pub async fn publish_best_effort<T: Serialize + Sync>(
        &self,
        subject: Subject,
        payload: &T,
    ) -> Result<(), BusError> {
        match self.publish(subject, payload).await {
            Err(BusError::Unavailable) => Err(BusError::Unavailable),
            Err(error) => {
                tracing::warn!("message dropped: {error}");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Publishes an event of a room for operators. Nothing depends on it: a failure is logged at debug level.
    pub async fn publish_room_event(&self, room: RoomId, kind: RoomEventKind) {
        let subject = subjects::room_event(kind.name(), room);
        let event = RoomEvent { room, at_ms: now_ms(), kind };
        if let Err(error) = self.publish(subject, &event).await {
            tracing::debug!(room.id = %room, %error, "room event dropped");
        }
    }

    /// Publishes on core NATS, if the connection is up: later it would be of no use.
    ///
    /// # Errors
    /// When it could not be sent.
    pub async fn publish<T: Serialize + Sync>(&self, subject: Subject, payload: &T) -> Result<(), BusError> {
        if !self.is_connected() {
            return Err(BusError::Unavailable);
        }
        let sent = match trace_context::headers() {
            Some(headers) => self.client.publish_with_headers(subject.clone(), headers, json(payload)).await,
            None => self.client.publish(subject.clone(), json(payload)).await,
        };
        sent.map_err(|error| match error.kind() {
            PublishErrorKind::Send => BusError::Unavailable,
            _ => BusError::Publish { subject, source: error.into() },
        })
    }

    /// Sends a request to a service and waits for its reply, [`timing::RESULT_DEADLINE`] at most.
    ///
    /// # Errors
    /// When no reply comes in time, or one that cannot be decoded.
    pub async fn request<Q: Serialize + Sync, A: DeserializeOwned>(
        &self,
        subject: Subject,
        request: &Q,
    ) -> Result<A, BusError> {
        self.request_within(timing::RESULT_DEADLINE, subject, request).await
    }

    /// The same, with a deadline of its own.
    ///
    /// # Errors
    /// When no reply comes in time, or one that cannot be decoded.
    pub async fn request_within<Q: Serialize + Sync, A: DeserializeOwned>(
        &self,
        deadline: Duration,
        subject: Subject,
        request: &Q,
    ) -> Result<A, BusError> {
        let fail = |source| BusError::Request { subject: subject.clone(), source };
        if !self.is_connected() {
            return Err(BusError::Unavailable);
        }
        let request = Request {
            payload: Some(json(request)),
            headers: trace_context::headers(),
            timeout: Some(Some(deadline)),
            ..Request::default()
        };
        // The client's own time-out begins only when the request was sent.
        let replying = tokio::time::timeout(deadline, self.client.send_request(subject.clone(), request));
        let reply = replying.await.map_err(|e| fail(e.into()))?.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => BusError::NoResponders { subject: subject.clone() },
            _ => fail(error.into()),
        })?;
        serde_json::from_slice(&reply.payload).map_err(|e| fail(e.into()))
    }

    /// NATS, as a dependency of a service.
    #[must_use]
    pub fn dependency(&self) -> Dependency {
        let bus = self.clone();
        Dependency::new("NATS", move || {
            let bus = bus.clone();
            async move { bus.responds().await }
        })
    }

    /// Waits for a reply of NATS: a server that hangs keeps its connections.
    async fn responds(&self) -> bool {
        if !self.is_connected() {
            return false;
        }
        // An error is a reply too, for instance that this may not be requested.
        drop(self.client.request(USER_INFO, Bytes::new()).await);
        true
    }

    /// Sends what is still buffered, before the process ends: the last replies. What NATS does not accept within a
    /// second is given up; clients repeat their requests.
    pub async fn flush(&self) {
        let sent = tokio::time::timeout(FLUSH_TIMEOUT, self.client.flush());
        if !(self.is_connected() && matches!(sent.await, Ok(Ok(())))) {
            tracing::warn!("NATS unavailable: the last replies may not have been sent");
        }
    }

    /// True while the connection to NATS is up.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }
}
