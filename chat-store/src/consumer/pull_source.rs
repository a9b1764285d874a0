//! Pulls the commands of one partition, while the server is pinned to this process, and hands the partition over at the
//! shutdown.

use super::suspension::SuspensionDetector;
use crate::metrics;
use anyhow::Context as _;
use async_nats::jetstream::{
    self,
    consumer::{PullConsumer, pull},
};
use futures_util::{StreamExt as _, stream::ReadyChunks};
use proto::{bus::Bus, streams, timing::PULL_EXPIRES};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Without a command for so long a partition does not count as active here.
const QUIET: Duration = Duration::from_secs(3);
/// The first sequence of a stream. What is acknowledged is not in it any more.
const FIRST: u64 = 1;

/// Commands as they were delivered, and why there are no more.
pub(super) struct Pulled {
    pub(super) messages: Vec<jetstream::Message>,
    pub(super) failure: Option<anyhow::Error>,
}

/// The source of batches.
pub(super) struct PullSource {
    consumer: PullConsumer,
    batches: ReadyChunks<pull::Stream>,
    shutdown: CancellationToken,
    active: Active,
}

impl PullSource {
    pub(super) async fn open(
        bus: &Bus,
        partition: u32,
        batch_size: usize,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let consumer = streams::partition_consumer(&bus.js, partition).await?;
        let messages = consumer
            .stream()
            .group(streams::PINNED_GROUP)
            .expires(PULL_EXPIRES)
            .max_messages_per_batch(batch_size)
            .messages()
            .await
            .context("pulling")?;
        Ok(Self { consumer, batches: messages.ready_chunks(batch_size), shutdown, active: Active::default() })
    }

    /// What is ready, as soon as something is; nothing after the shutdown.
    pub(super) async fn next(&mut self, suspension: &mut SuspensionDetector) -> Option<Pulled> {
        while !self.shutdown.is_cancelled() {
            // Looked at in between, so that a long silence is not taken for a suspension.
            suspension.look();
            let waiting = tokio::time::timeout(PULL_EXPIRES, self.batches.next());
            match self.shutdown.run_until_cancelled(waiting).await? {
                Ok(pulled) => {
                    self.active.refresh();
                    return Some(sort(pulled?));
                }
                Err(_elapsed) => self.active.fade(),
            }
        }
        None
    }

    /// Has the server deliver again from the first command that is still in the stream, in its order, with deliveries
    /// numbered from 1.
    pub(super) async fn reset(&mut self) -> anyhow::Result<()> {
        self.consumer.reset(Some(FIRST)).await.map(drop).context("resetting the consumer")
    }

    /// Lets another process have the partition at once, instead of after the server's time-out. What was delivered here
    /// and not processed is delivered to it after a reset.
    pub(super) async fn hand_over(self, bus: &Bus, pin: Option<&str>) -> anyhow::Result<()> {
        let Self { consumer, batches, .. } = self;
        // No more pulls of this process, or it would be pinned again.
        drop(batches);
        let Some(pin) = pin else { return Ok(()) };
        let info = consumer.get_info().await.context("reading which process is pinned")?;
        if info.priority_groups.iter().any(|group| group.pinned_client_id.as_deref() == Some(pin)) {
            let stream = bus.js.get_stream_no_info(streams::MESSAGES).await.context("opening the stream")?;
            stream.unpin_consumer(&info.name, streams::PINNED_GROUP).await.context("unpinning")?;
        }
        Ok(())
    }
}

fn sort(pulled: Vec<Result<jetstream::Message, pull::MessagesError>>) -> Pulled {
    let mut failure = None;
    let mut messages = Vec::with_capacity(pulled.len());
    for result in pulled {
        match result {
            Ok(message) => messages.push(message),
            Err(error) => failure = Some(anyhow::Error::new(error).context("pulling")),
        }
    }
    Pulled { messages, failure }
}

/// Counts this partition as active while its commands come.
#[derive(Default)]
struct Active(Option<Instant>);

impl Active {
    fn refresh(&mut self) {
        if self.0.replace(Instant::now()).is_none() {
            ::metrics::gauge!(metrics::ACTIVE_PARTITIONS).increment(1);
        }
    }

    fn fade(&mut self) {
        if self.0.is_some_and(|last| last.elapsed() > QUIET) {
            self.0 = None;
            ::metrics::gauge!(metrics::ACTIVE_PARTITIONS).decrement(1);
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if self.0.is_some() {
            ::metrics::gauge!(metrics::ACTIVE_PARTITIONS).decrement(1);
        }
    }
}
