//! Commands and their replies: a command is published to its stream, and the service that applies it replies on a
//! subject of this gateway. Waiting ends after the deadline of the configuration.

use crate::telemetry::metrics::{ACKNOWLEDGEMENT_SECONDS, REPLY_TIMEOUTS};
use anyhow::Context as _;
use async_nats::Subscriber;
use bytes::Bytes;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use proto::{Command, CommandId, GatewayId, Refusal, Reply, bus::Bus, subjects};
use serde::de::DeserializeOwned;
use std::{collections::HashMap, marker::PhantomData, sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::Instant};
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

/// Why a command has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandError {
    /// The stream did not store it, as far as is known. Publishing it again under the same id is safe.
    #[error("the command was not stored")]
    NotStored,
    /// There was no reply before the deadline: it may be applied, now or later.
    #[error("no reply to the command in time")]
    NoReply,
    /// It changed nothing.
    #[error("the command was refused: {0:?}")]
    Refused(Refusal),
}

/// The commands that wait for their reply.
#[derive(Clone, Default)]
struct Pending(Arc<Mutex<HashMap<CommandId, oneshot::Sender<Bytes>>>>);

/// Publishes commands and waits for their replies.
pub(crate) struct CommandClient {
    bus: Bus,
    gateway: GatewayId,
    deadline: Duration,
    pending: Pending,
    tasks: TaskTracker,
}

/// Receives the replies, for as long as the process runs.
pub(crate) struct ReplyDispatcher {
    replies: Subscriber,
    pending: Pending,
}

impl CommandClient {
    /// Subscribes to this gateway's replies, which the dispatcher hands out. Publications are watched in `tasks`.
    ///
    /// # Errors
    /// When NATS is unavailable.
    pub(crate) async fn start(
        bus: &Bus,
        gateway: &GatewayId,
        deadline: Duration,
        tasks: TaskTracker,
    ) -> anyhow::Result<(Self, ReplyDispatcher)> {
        let replies = bus.client.subscribe(subjects::replies_of(gateway)).await.context("subscribing to replies")?;
        let pending = Pending::default();
        let dispatcher = ReplyDispatcher { replies, pending: pending.clone() };
        Ok((Self { bus: bus.clone(), gateway: gateway.clone(), deadline, pending, tasks }, dispatcher))
    }

    /// Publishes a command; what is published first is first in the stream. The reply is waited for apart, so that
    /// several commands can be in flight in order.
    ///
    /// # Errors
    /// [`CommandError::NotStored`].
    pub(crate) async fn publish<T>(
        &self,
        id: CommandId,
        command: &impl Command,
    ) -> Result<PendingReply<T>, CommandError> {
        if !self.bus.is_connected() {
            return Err(CommandError::NotStored);
        }
        let (sender, receiver) = oneshot::channel();
        self.pending.0.lock().insert(id, sender);
        let pending = PendingReply {
            id,
            receiver,
            pending: self.pending.clone(),
            command: command.name(),
            published: Instant::now(),
            deadline: Instant::now() + self.deadline,
            result: PhantomData,
        };
        let reply_to = subjects::reply(&self.gateway, id);
        // While NATS hangs, earlier publications wait for it, and this one for its turn.
        let publishing = self.bus.publish_command(id, command, Some(&reply_to));
        let stored = tokio::time::timeout_at(pending.deadline, publishing).await;
        let stored = stored.map_err(|_too_late| CommandError::NotStored)?.map_err(|error| {
            tracing::debug!(%error, "command not published");
            CommandError::NotStored
        })?;
        // The reply shows that it was stored; only that it was not has to be known before the deadline.
        let waiting = self.pending.clone();
        let watch = async move {
            if let Err(error) = stored.await
                && waiting.remove(id)
            {
                tracing::warn!(%error, "command not stored");
            }
        };
        self.tasks.spawn(watch.in_current_span());
        Ok(pending)
    }

    /// Publishes a command and waits for its reply.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub(crate) async fn request<T: DeserializeOwned>(
        &self,
        id: CommandId,
        command: &impl Command,
    ) -> Result<T, CommandError> {
        self.publish(id, command).await?.reply().await
    }

    /// Whether anybody still waits for the reply to a command.
    pub(crate) fn is_pending(&self, id: CommandId) -> bool {
        self.pending.0.lock().contains_key(&id)
    }
}

impl Pending {
    /// True if it was still waited for.
    fn remove(&self, id: CommandId) -> bool {
        self.0.lock().remove(&id).is_some()
    }

    fn dispatch(&self, id: CommandId, reply: Bytes) {
        // A reply after the deadline, or a repeated one, is waited for by nobody.
        if let Some(waiting) = self.0.lock().remove(&id) {
            let _given_up = waiting.send(reply);
        }
    }
}

impl ReplyDispatcher {
    /// Hands out the replies until the subscription ends.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        while let Some(reply) = self.replies.next().await {
            if let Some(id) = subjects::last_id(&reply.subject) {
                self.pending.dispatch(id, reply.payload);
            }
        }
        anyhow::bail!("the subscription to replies ended")
    }
}

/// A reply that is waited for. Dropping it gives up.
pub(crate) struct PendingReply<T> {
    id: CommandId,
    receiver: oneshot::Receiver<Bytes>,
    pending: Pending,
    command: &'static str,
    published: Instant,
    deadline: Instant,
    result: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> PendingReply<T> {
    /// Waits for it.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub(crate) async fn reply(mut self) -> Result<T, CommandError> {
        match tokio::time::timeout_at(self.deadline, &mut self.receiver).await {
            Ok(Ok(payload)) => {
                let elapsed = self.published.elapsed();
                metrics::histogram!(ACKNOWLEDGEMENT_SECONDS, "command" => self.command).record(elapsed);
                decode(&payload)
            }
            Ok(Err(_not_stored)) => Err(CommandError::NotStored),
            Err(_too_late) => {
                metrics::counter!(REPLY_TIMEOUTS).increment(1);
                Err(CommandError::NoReply)
            }
        }
    }
}

impl<T> Drop for PendingReply<T> {
    fn drop(&mut self) {
        self.pending.remove(self.id);
    }
}

fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, CommandError> {
    match serde_json::from_slice(payload) {
        Ok(Reply::Ok(result)) => Ok(result),
        Ok(Reply::Refused(refusal)) => Err(CommandError::Refused(refusal)),
        Err(error) => {
            tracing::error!(line = error.line(), column = error.column(), "reply not decodable");
            Err(CommandError::NoReply)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_a_result_or_a_refusal() {
        assert_eq!(decode::<u32>(br#"{"ok":7}"#), Ok(7));
        assert_eq!(decode::<u32>(br#"{"refused":"in_room"}"#), Err(CommandError::Refused(Refusal::InRoom)));
        assert_eq!(decode::<u32>(b"nonsense"), Err(CommandError::NoReply));
    }

    #[tokio::test]
    async fn a_command_is_pending_until_its_reply_comes_or_is_given_up() {
        let (pending, id) = (Pending::default(), CommandId::new());
        let (sender, receiver) = oneshot::channel();
        pending.0.lock().insert(id, sender);
        pending.dispatch(CommandId::new(), Bytes::from_static(b"of another command"));
        assert!(pending.0.lock().contains_key(&id));
        pending.dispatch(id, Bytes::from_static(b"reply"));
        assert_eq!(receiver.await.expect("a reply"), "reply");
        assert!(!pending.remove(id), "nothing is left");
    }
}
