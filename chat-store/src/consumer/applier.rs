//! Applies batches by the policy of [`retry`]: what a server is to blame for is retried in place until it works, a
//! command that fails by its own fault is given up after [`MAX_FAILURES`].

use super::{spans, suspension::SuspensionDetector};
use crate::{
    domain::{Outcome, Sequenced},
    metrics,
    partition::{ApplyError, Partition},
};
use anyhow::Context as _;
use async_nats::jetstream;
use proto::{
    RoomCommand,
    bus::{
        Delivery,
        retry::{self, MAX_FAILURES},
    },
    timing::APPLY_TIMEOUT,
};
use std::slice;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

/// Applies the batches of one partition.
pub(super) struct Applier {
    number: u32,
    partition: Partition,
    shutdown: CancellationToken,
}

impl Applier {
    pub(super) fn new(number: u32, partition: Partition, shutdown: CancellationToken) -> Self {
        Self { number, partition, shutdown }
    }

    /// Another process may have worked on the partition.
    pub(super) fn forget(&mut self) {
        self.partition.forget();
    }

    /// Applies a batch, however long MongoDB is unavailable, and signals progress meanwhile.
    ///
    /// # Errors
    /// When the shutdown comes before it worked.
    pub(super) async fn apply(
        &mut self,
        batch: &[Delivery<RoomCommand>],
        maybe_applied: bool,
        suspension: &mut SuspensionDetector,
        spans: &[Span],
    ) -> anyhow::Result<Vec<Outcome>> {
        let storing = spans::of_storing(spans);
        let span = storing.first().cloned().unwrap_or_else(Span::none);
        let raw: Vec<&jetstream::Message> = batch.iter().map(|delivery| &delivery.raw).collect();
        let commands: Vec<Sequenced<'_>> =
            batch.iter().map(|Delivery { sequence, command, .. }| Sequenced { sequence: *sequence, command }).collect();
        let applying = self.apply_all(&commands, maybe_applied, suspension);
        retry::in_progress(&raw, applying).instrument(span).await
    }

    async fn apply_all(
        &mut self,
        commands: &[Sequenced<'_>],
        maybe_applied: bool,
        suspension: &mut SuspensionDetector,
    ) -> anyhow::Result<Vec<Outcome>> {
        if let [_, _, ..] = commands
            && let Some(outcomes) = self.until_applied(commands, maybe_applied, 1, suspension).await?
        {
            return Ok(outcomes);
        }
        // One of them is to blame; one at a time shows which.
        let mut outcomes = Vec::with_capacity(commands.len());
        let maybe_applied = maybe_applied || commands.len() > 1;
        for command in commands {
            let alone = slice::from_ref(command);
            let applied = self.until_applied(alone, maybe_applied, MAX_FAILURES, suspension).await?;
            outcomes.push(applied.and_then(|mut outcomes| outcomes.pop()).unwrap_or(Outcome::Failed));
        }
        Ok(outcomes)
    }

    /// None after so many failures of the commands' own.
    async fn until_applied(
        &mut self,
        commands: &[Sequenced<'_>],
        mut maybe_applied: bool,
        max_failures: u32,
        suspension: &mut SuspensionDetector,
    ) -> anyhow::Result<Option<Vec<Outcome>>> {
        let (mut attempts, mut failures, mut delays) = (0, 0, retry::delays());
        loop {
            let error = match self.attempt(commands, maybe_applied, suspension).await {
                Ok(outcomes) => return Ok(Some(outcomes)),
                Err(error) => error,
            };
            (attempts, maybe_applied) = (attempts + 1, true);
            self.failed(attempts, &error);
            failures += u32::from(!error.is_transient());
            if failures == max_failures {
                return Ok(None);
            }
            let pause = tokio::time::sleep(delays.next().unwrap_or_default());
            if self.shutdown.run_until_cancelled(pause).await.is_none() {
                return Err(error).context("stopped before it worked");
            }
        }
    }

    async fn attempt(
        &mut self,
        commands: &[Sequenced<'_>],
        maybe_applied: bool,
        suspension: &mut SuspensionDetector,
    ) -> Result<Vec<Outcome>, ApplyError> {
        let work = async {
            let outcomes = self.partition.apply(commands, maybe_applied).await?;
            if suspension.was_suspended() || maybe_applied {
                let rooms = commands.iter().map(|sequenced| sequenced.command.room());
                self.partition.erase_closed(rooms).await?;
            }
            Ok(outcomes)
        };
        tokio::time::timeout(APPLY_TIMEOUT, work).await.unwrap_or(Err(ApplyError::TimedOut(APPLY_TIMEOUT)))
    }

    /// Logs the first failure of a batch, and counts every one.
    fn failed(&mut self, attempts: u32, error: &ApplyError) {
        self.partition.forget();
        ::metrics::counter!(metrics::STORE_FAILURES).increment(1);
        if attempts == 1 {
            tracing::warn!(partition = self.number, "batch retried: {error}");
        } else {
            tracing::debug!(partition = self.number, attempts, "batch retried: {error}");
        }
    }
}
