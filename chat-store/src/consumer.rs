//! Consumes one partition: takes what is ready, has it applied, announces, acknowledges.
//! Nothing else acknowledges. While MongoDB is away the batch in hand is tried again and
//! nothing more is taken, which keeps the order and bounds the memory.

use crate::{
    announce::announce,
    batch::Asked,
    delivered::{Mark, Seen},
    intake::{Intake, Taken},
    numbers,
    older::Older,
    partition::{ApplyError, Outcome, Partition},
    pulse::{self, Pulse},
    retry::{APPLY_TIMEOUT, delays, failed, holding},
    spans,
};
use anyhow::{Context as _, bail};
use async_nats::jetstream;
use proto::{
    RoomCommand,
    bus::{Bus, Delivery, bury},
};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

/// How long to wait before a consumer that failed starts over.
const RESTART: Duration = Duration::from_millis(250);

/// The consumer of one partition.
pub(crate) struct Consumer {
    bus: Bus,
    number: u32,
    batch_size: usize,
    partition: Partition,
    shutdown: CancellationToken,
    seen: Seen,
    pulse: Pulse,
}

impl Consumer {
    pub(crate) fn new(
        bus: Bus,
        number: u32,
        batch_size: usize,
        partition: Partition,
        shutdown: CancellationToken,
    ) -> Self {
        Self { bus, number, batch_size, partition, shutdown, seen: Seen::default(), pulse: Pulse::new() }
    }

    /// Consumes until the shutdown, whatever happens to the bus meanwhile.
    pub(crate) async fn run(mut self) {
        while let Err(error) = self.consume().await {
            // What was in hand is delivered again, or read from the stream.
            self.seen.lost();
            if self.shutdown.run_until_cancelled(tokio::time::sleep(RESTART)).await.is_none() {
                tracing::warn!(partition = self.number, "stopped with work in hand, which another will do: {error:#}");
                return;
            }
            tracing::warn!(partition = self.number, "the consumer starts over: {error:#}");
        }
    }

    async fn consume(&mut self) -> anyhow::Result<()> {
        let mut intake = Intake::open(&self.bus, self.number, self.batch_size, self.shutdown.clone()).await?;
        while let Some(Taken { messages, failure }) = intake.next(&mut self.pulse).await {
            self.work(messages).await?;
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
        if !self.shutdown.is_cancelled() {
            bail!("the pull stream ended");
        }
        intake.hand_over(&self.bus).await
    }

    /// Does one batch, from its delivery to its acknowledgement.
    async fn work(&mut self, messages: Vec<jetstream::Message>) -> anyhow::Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let marks = messages.iter().map(mark).collect::<anyhow::Result<Vec<_>>>()?;
        let batch = self.decode(messages).await?;
        // A NATS node that led, stood still and wakes up delivers what another process was given long since:
        // then nothing is missing in the count of deliveries, and the room may be over.
        let old = batch.iter().any(|delivery| delivery.age() > pulse::LATE);
        if self.pulse.late() || old {
            self.partition.forget();
        }
        if let Some(below) = self.seen.note(&marks) {
            self.catch_up(below, &batch).await?;
        }
        let again = old || marks.iter().any(|mark| mark.attempt > 1);
        let spans = spans::of_commands(&batch);
        let outcomes = self.apply(&batch, again, &batch, &spans).await?;
        for ((delivery, outcome), span) in batch.iter().zip(&outcomes).zip(spans) {
            let telling = async {
                announce(&self.bus, delivery, outcome).await?;
                self.finish(delivery, outcome).await
            };
            telling.instrument(span).await?;
        }
        metrics::histogram!(numbers::BATCH_SIZE).record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        metrics::histogram!(numbers::STORE_SECONDS).record(started.elapsed());
        let redelivered = marks.iter().filter(|mark| mark.attempt > 1).count();
        metrics::counter!(numbers::REDELIVERIES).increment(redelivered as u64);
        Ok(())
    }

    async fn decode(&self, messages: Vec<jetstream::Message>) -> anyhow::Result<Vec<Delivery<RoomCommand>>> {
        let mut batch = Vec::with_capacity(messages.len());
        for message in messages {
            match Delivery::decode(message) {
                Ok(delivery) => batch.push(delivery),
                Err((message, reason)) => {
                    let span = spans::of_command(&message);
                    bury(&self.bus, &message, &reason.to_string()).instrument(span).await?;
                }
            }
        }
        Ok(batch)
    }

    /// Applies what an earlier consumer left undone, and answers it. It is acknowledged when it
    /// is delivered again.
    async fn catch_up(&mut self, below: u64, held: &[Delivery<RoomCommand>]) -> anyhow::Result<()> {
        metrics::counter!(numbers::TAKEOVERS).increment(1);
        self.partition.forget();
        let mut older = Older::new(&self.bus, self.number).await?;
        loop {
            let batch = holding(held, older.next(below, self.batch_size)).await?;
            if batch.is_empty() {
                return Ok(());
            }
            tracing::info!(partition = self.number, commands = batch.len(), "catching up with an earlier consumer");
            let spans = spans::of_commands(&batch);
            let outcomes = self.apply(&batch, true, held, &spans).await?;
            for ((delivery, outcome), span) in batch.iter().zip(&outcomes).zip(spans) {
                announce(&self.bus, delivery, outcome).instrument(span).await?;
            }
        }
    }

    /// Applies a batch, however long MongoDB is away, unless this process has to stop.
    async fn apply(
        &mut self,
        batch: &[Delivery<RoomCommand>],
        mut again: bool,
        held: &[Delivery<RoomCommand>],
        spans: &[Span],
    ) -> anyhow::Result<Vec<Outcome>> {
        let storing = spans::of_storing(spans);
        let span = storing.first().cloned().unwrap_or_else(Span::none);
        let asked: Vec<Asked<'_>> = batch.iter().map(|d| Asked { sequence: d.sequence, command: &d.command }).collect();
        let mut tries = 0;
        let mut delays = delays();
        loop {
            let error = match holding(held, self.try_once(&asked, again)).instrument(span.clone()).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(error) => error,
            };
            (tries, again) = (tries + 1, true);
            span.in_scope(|| failed(self.number, tries, &error));
            self.partition.forget();
            let pause = holding(held, tokio::time::sleep(delays.next().unwrap_or(RESTART)));
            if self.shutdown.run_until_cancelled(pause).await.is_none() {
                return Err(error).context("stopping before it worked");
            }
        }
    }

    async fn try_once(&mut self, asked: &[Asked<'_>], again: bool) -> Result<Vec<Outcome>, ApplyError> {
        let work = async {
            let outcomes = self.partition.apply(asked, again).await?;
            if self.pulse.late() || again {
                self.partition.erase_closed(asked.iter().map(|asked| asked.command.room())).await?;
            }
            Ok(outcomes)
        };
        tokio::time::timeout(APPLY_TIMEOUT, work).await.unwrap_or(Err(ApplyError::TooLong(APPLY_TIMEOUT)))
    }

    async fn finish(&self, delivery: &Delivery<RoomCommand>, outcome: &Outcome) -> anyhow::Result<()> {
        if matches!(outcome, Outcome::Failed) {
            bury(&self.bus, &delivery.raw, "MongoDB refused it again and again").await?;
            return Ok(());
        }
        delivery.raw.ack().await.map_err(anyhow::Error::from_boxed).context("acknowledging")
    }
}

fn mark(message: &jetstream::Message) -> anyhow::Result<Mark> {
    let info = message.info().map_err(anyhow::Error::from_boxed).context("a message without a delivery")?;
    Ok(Mark { delivery: info.consumer_sequence, sequence: info.stream_sequence, attempt: info.delivered })
}
