//! Consumes one partition: pulls what is ready, has it applied, publishes the results, acknowledges. Nothing else
//! acknowledges. While MongoDB is unavailable the batch in progress is retried and nothing more is pulled, which keeps
//! the order and bounds the memory.

mod applier;
mod publish;
mod pull_source;
mod spans;
mod suspension;

use crate::{
    domain::{
        Outcome,
        position::{Follows, Mark, Position},
    },
    metrics,
    partition::Partition,
};
use anyhow::{Context as _, bail};
use applier::Applier;
use async_nats::{header::NATS_PIN_ID, jetstream};
use proto::{
    RoomCommand,
    bus::{Bus, Delivery, dead_letter, now_ms},
};
use pull_source::{PullSource, Pulled};
use std::time::{Duration, Instant};
use suspension::SuspensionDetector;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

/// How long to wait before a consumer that failed starts again.
const RESTART: Duration = Duration::from_millis(250);

/// The consumer of one partition.
pub(crate) struct Consumer {
    bus: Bus,
    number: u32,
    batch_size: usize,
    shutdown: CancellationToken,
    applier: Applier,
    position: Position,
    suspension: SuspensionDetector,
}

/// Deliveries that continue those before, or start over.
#[derive(Default)]
struct Accepted {
    messages: Vec<jetstream::Message>,
    maybe_applied: bool,
    starts_over: bool,
    /// Others are missing after them.
    gap: bool,
}

impl Consumer {
    pub(crate) fn new(
        bus: Bus,
        number: u32,
        batch_size: usize,
        partition: Partition,
        shutdown: CancellationToken,
    ) -> Self {
        let applier = Applier::new(number, partition, shutdown.clone());
        let (position, suspension) = (Position::default(), SuspensionDetector::new());
        Self { bus, number, batch_size, shutdown, applier, position, suspension }
    }

    /// Consumes until the shutdown, whatever happens to the bus meanwhile.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        while let Err(error) = self.consume().await {
            // What was in progress is delivered again, after a reset.
            self.position.forget();
            if self.shutdown.run_until_cancelled(tokio::time::sleep(RESTART)).await.is_none() {
                tracing::warn!(partition = self.number, "batch handed back: {error:#}");
                break;
            }
            tracing::warn!(partition = self.number, "consumer restarted: {error:#}");
        }
        Ok(())
    }

    async fn consume(&mut self) -> anyhow::Result<()> {
        let mut source = PullSource::open(&self.bus, self.number, self.batch_size, self.shutdown.clone()).await?;
        while let Some(Pulled { messages, failure }) = source.next(&mut self.suspension).await {
            let accepted = self.accept(messages)?;
            let gap = accepted.gap;
            self.process(accepted).await?;
            if gap {
                source.reset().await?;
                ::metrics::counter!(metrics::TAKEOVERS).increment(1);
                tracing::info!(partition = self.number, "consumer reset: partition taken over, or deliveries missing");
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
        if !self.shutdown.is_cancelled() {
            bail!("the pull stream ended");
        }
        source.hand_over(&self.bus, self.position.pin()).await
    }

    /// Takes what continues the deliveries before it. What is dropped is delivered again after the reset.
    fn accept(&mut self, messages: Vec<jetstream::Message>) -> anyhow::Result<Accepted> {
        let mut accepted = Accepted::default();
        for message in messages {
            let mark = mark(&message)?;
            match self.position.advance(&mark) {
                Follows::Continues => {}
                // With what came before in this batch, where it belongs.
                Follows::StartsOver => accepted = Accepted { starts_over: true, ..Accepted::default() },
                Follows::Gap => accepted.gap = true,
                Follows::Dropped => {}
            }
            if !self.position.is_dropping() {
                accepted.maybe_applied |= self.position.maybe_applied(&mark);
                accepted.messages.push(message);
            }
        }
        Ok(accepted)
    }

    /// Takes one batch from its delivery to its acknowledgement.
    async fn process(&mut self, accepted: Accepted) -> anyhow::Result<()> {
        let Accepted { messages, maybe_applied, starts_over, .. } = accepted;
        if messages.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let batch = self.decode(messages).await?;
        // A NATS node that led, was suspended and resumes delivers what another process received long since. Then
        // nothing is missing in the numbers, and the room may be closed.
        let old = batch.iter().any(|delivery| age(delivery) > suspension::LATE);
        if starts_over || old || self.suspension.was_suspended() {
            self.applier.forget();
        }
        let spans = spans::of_commands(&batch);
        let outcomes = self.applier.apply(&batch, maybe_applied || old, &mut self.suspension, &spans).await?;
        for ((delivery, outcome), span) in batch.iter().zip(&outcomes).zip(spans) {
            self.finish(delivery, outcome).instrument(span).await?;
        }
        ::metrics::histogram!(metrics::BATCH_SIZE).record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        ::metrics::histogram!(metrics::STORE_SECONDS).record(started.elapsed());
        let redelivered = batch.iter().filter(|delivery| delivery.attempt() > 1).count();
        ::metrics::counter!(metrics::REDELIVERIES).increment(redelivered as u64);
        Ok(())
    }

    async fn decode(&self, messages: Vec<jetstream::Message>) -> anyhow::Result<Vec<Delivery<RoomCommand>>> {
        let mut batch = Vec::with_capacity(messages.len());
        for message in messages {
            match Delivery::decode(message) {
                Ok(delivery) => batch.push(delivery),
                Err((message, reason)) => {
                    let span: Span = spans::of_command(&message);
                    dead_letter(&self.bus, &message, &reason.to_string()).instrument(span).await?;
                }
            }
        }
        Ok(batch)
    }

    async fn finish(&self, delivery: &Delivery<RoomCommand>, outcome: &Outcome) -> anyhow::Result<()> {
        publish::results(&self.bus, delivery, outcome).await?;
        if matches!(outcome, Outcome::Failed) {
            dead_letter(&self.bus, &delivery.raw, "MongoDB refused it again and again").await?;
            return Ok(());
        }
        delivery.raw.ack().await.map_err(anyhow::Error::from_boxed).context("acknowledging")
    }
}

fn mark(message: &jetstream::Message) -> anyhow::Result<Mark> {
    let info = message.info().map_err(anyhow::Error::from_boxed).context("a message without a delivery")?;
    let pin = message.headers.as_ref().and_then(|headers| headers.get_last(NATS_PIN_ID));
    Ok(Mark {
        pin: pin.map(|pin| pin.as_str().to_owned()),
        number: info.consumer_sequence,
        attempt: info.delivered,
        pending: info.pending,
    })
}

/// How long ago the stream stored a command, by the clocks of the NATS server and of this host. If they differ, rooms
/// are read more often than needed, or only [`suspension`] protects from old deliveries.
fn age(delivery: &Delivery<RoomCommand>) -> Duration {
    Duration::from_millis(u64::try_from(now_ms() - delivery.stored_at_ms()).unwrap_or(0))
}
