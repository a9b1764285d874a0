//! Commands and their results: a command is published to its stream, and whoever applies it
//! answers on a subject of this gateway. Waiting ends after the deadline of the configuration.

use crate::{error::ApiError, numbers};
use futures_util::StreamExt as _;
use proto::{
    Command, CommandId, GatewayId, Refusal, Reply,
    bus::{Bus, BusError},
    subjects,
};
use serde::de::DeserializeOwned;
use std::{
    collections::HashMap,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};
use tracing::Instrument as _;

/// How soon to publish again what the bus did not take.
const RETRY: Duration = Duration::from_millis(500);

/// How soon a bus that works has stored something; an answer that does not come by then is lost.
const STORED: Duration = Duration::from_secs(1);

type Waiting = Arc<Mutex<HashMap<CommandId, oneshot::Sender<bytes::Bytes>>>>;

/// Asks and waits.
pub(crate) struct Asker {
    bus: Bus,
    gateway: GatewayId,
    deadline: Duration,
    waiting: Waiting,
}

impl Asker {
    /// Subscribes to this gateway's answers.
    pub(crate) async fn start(bus: &Bus, gateway: &GatewayId, deadline: Duration) -> anyhow::Result<Self> {
        let mut answers = bus.client.subscribe(subjects::replies_of(gateway)).await?;
        let waiting = Waiting::default();
        let handed = waiting.clone();
        tokio::spawn(async move {
            while let Some(answer) = answers.next().await {
                let asked = subjects::last_id(&answer.subject).and_then(|id| lock(&handed).remove(&id));
                // Nobody waits any more when the deadline has passed, or for a repeated answer.
                if let Some(asked) = asked {
                    let _given_up = asked.send(answer.payload);
                }
            }
        });
        Ok(Self { bus: bus.clone(), gateway: gateway.clone(), deadline, waiting })
    }

    /// Publishes a command; what is published first is first in the stream. The result is
    /// waited for apart, so that several can be under way in order.
    pub(crate) async fn publish<T>(&self, command: &impl Command) -> Result<Pending<T>, ApiError> {
        self.publish_as(CommandId::new(), command).await
    }

    async fn publish_as<T>(&self, id: CommandId, command: &impl Command) -> Result<Pending<T>, ApiError> {
        if !self.bus.connected() {
            return Err(ApiError::Unavailable);
        }
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).insert(id, sender);
        let pending = Pending {
            id,
            receiver,
            waiting: self.waiting.clone(),
            asked: (Instant::now(), command.name()),
            deadline: Instant::now() + self.deadline,
            result: PhantomData,
        };
        let reply_to = subjects::reply(&self.gateway, id);
        // While NATS hangs, what was published before waits for it, and this for its turn.
        let publishing = tokio::time::timeout_at(pending.deadline, self.bus.command(id, command, Some(&reply_to)));
        let stored = publishing.await.map_err(|_too_late| ApiError::Unavailable)?.map_err(unavailable)?;
        // The answer says all; only that the stream did not take it has to be heard at once.
        let waiting = self.waiting.clone();
        let taken = async move {
            if let Err(error) = stored.await
                && lock(&waiting).remove(&id).is_some()
            {
                tracing::warn!(%error, "the bus did not take a command");
            }
        };
        tokio::spawn(taken.in_current_span());
        Ok(pending)
    }

    /// Publishes a command and waits for its result.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, command: &impl Command) -> Result<T, ApiError> {
        self.publish(command).await?.result().await
    }

    /// The same, under this id, by which it can be taken back.
    pub(crate) async fn ask_as<T: DeserializeOwned>(
        &self,
        id: CommandId,
        command: &impl Command,
    ) -> Result<T, ApiError> {
        self.publish_as(id, command).await?.result().await
    }

    /// Takes back a command of which nobody knows whether the stream has it: another one that changes nothing is
    /// published under its id, until the stream has one of the two. Answers the place of the command, if that is
    /// there; otherwise it never comes, also when it is still on its way. When the bus has lost an answer, the place may
    /// be that of the other one.
    pub(crate) async fn take_back(&self, id: CommandId, instead: &impl Command) -> Option<u64> {
        loop {
            if let Ok(stored) = self.bus.command(id, instead, None).await
                && let Ok(Ok(stored)) = tokio::time::timeout(STORED, stored).await
            {
                return stored.duplicate.then_some(stored.sequence);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Publishes a command until the stream has it. For what nobody waits for and must not be
    /// lost; published again it is the same command.
    pub(crate) async fn insist(&self, command: &impl Command) {
        self.insist_as(CommandId::new(), command).await;
    }

    /// The same, for one that has perhaps been published under this id.
    pub(crate) async fn insist_as(&self, id: CommandId, command: &impl Command) {
        loop {
            if let Ok(stored) = self.bus.command(id, command, None).await
                && stored.await.is_ok()
            {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// A result that is under way.
pub(crate) struct Pending<T> {
    id: CommandId,
    receiver: oneshot::Receiver<bytes::Bytes>,
    waiting: Waiting,
    /// When, and what for.
    asked: (Instant, &'static str),
    deadline: Instant,
    result: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Pending<T> {
    /// Waits for it.
    pub(crate) async fn result(mut self) -> Result<T, ApiError> {
        match tokio::time::timeout_at(self.deadline, &mut self.receiver).await {
            Ok(Ok(payload)) => {
                let (asked, command) = self.asked;
                metrics::histogram!(numbers::ACKNOWLEDGEMENT_SECONDS, "command" => command).record(asked.elapsed());
                read(&payload)?.map_err(ApiError::from)
            }
            Ok(Err(_not_taken)) => Err(ApiError::Unavailable),
            Err(_too_late) => {
                metrics::counter!(numbers::RESULTS_MISSED).increment(1);
                Err(ApiError::Unavailable)
            }
        }
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.id);
    }
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<Result<T, Refusal>, ApiError> {
    match serde_json::from_slice(payload) {
        Ok(Reply::Ok(result)) => Ok(Ok(result)),
        Ok(Reply::Refused(refusal)) => Ok(Err(refusal)),
        Err(error) => {
            tracing::error!(line = error.line(), column = error.column(), "an answer cannot be read");
            Err(ApiError::Unavailable)
        }
    }
}

/// The bus is away; the client's own log tells of it.
pub(crate) fn unavailable(error: BusError) -> ApiError {
    tracing::debug!(%error, "the bus is away");
    ApiError::Unavailable
}

// Nothing can panic while it is held.
fn lock(waiting: &Waiting) -> MutexGuard<'_, HashMap<CommandId, oneshot::Sender<bytes::Bytes>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
