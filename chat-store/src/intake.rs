//! Takes batches of one partition from the bus, while this process is the one that the server
//! is pinned to, and hands the partition over when it stops.

use crate::{numbers, pulse::Pulse};
use anyhow::Context as _;
use async_nats::{
    header::NATS_PIN_ID,
    jetstream::{
        self,
        consumer::{PullConsumer, pull},
    },
};
use futures_util::{FutureExt as _, StreamExt as _, stream::ReadyChunks};
use proto::{bus::Bus, streams};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Without a command for so long a partition does not count as active here.
const QUIET: Duration = Duration::from_secs(3);

/// Commands as they were delivered, and why there will be no more.
pub(crate) struct Taken {
    pub(crate) messages: Vec<jetstream::Message>,
    pub(crate) failure: Option<anyhow::Error>,
}

/// The source of batches.
pub(crate) struct Intake {
    consumer: PullConsumer,
    batches: ReadyChunks<pull::Stream>,
    shutdown: CancellationToken,
    drained: bool,
    /// What the server calls this process, as the one that it is pinned to.
    pin: Option<String>,
    active: Active,
}

impl Intake {
    pub(crate) async fn open(
        bus: &Bus,
        partition: u32,
        batch_size: usize,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let consumer = streams::partition_consumer(&bus.js, partition).await?;
        let messages = consumer
            .stream()
            .group(streams::PINNED_GROUP)
            .expires(streams::PULL_EXPIRES)
            .max_messages_per_batch(batch_size)
            .messages()
            .await
            .context("pulling")?;
        let batches = messages.ready_chunks(batch_size);
        Ok(Self { consumer, batches, shutdown, drained: false, pin: None, active: Active::default() })
    }

    /// What is ready, as soon as something is. After the shutdown once more what was already
    /// delivered, then nothing.
    pub(crate) async fn next(&mut self, pulse: &mut Pulse) -> Option<Taken> {
        let taken = loop {
            if self.shutdown.is_cancelled() {
                let last = !std::mem::replace(&mut self.drained, true);
                break if last { self.batches.next().now_or_never().flatten() } else { None };
            }
            // Looks up in between, so that a long silence is not taken for a pause of this process.
            pulse.beat();
            let waiting = tokio::time::timeout(streams::PULL_EXPIRES, self.batches.next());
            match self.shutdown.run_until_cancelled(waiting).await {
                Some(Ok(taken)) => break taken,
                Some(Err(_)) | None => self.active.fade(),
            }
        };
        let taken = taken?;
        self.active.refresh();
        Some(self.sort(taken))
    }

    fn sort(&mut self, taken: Vec<Result<jetstream::Message, pull::MessagesError>>) -> Taken {
        let mut failure = None;
        let mut messages = Vec::with_capacity(taken.len());
        for taken in taken {
            match taken {
                Ok(message) => messages.push(message),
                Err(error) => failure = Some(anyhow::Error::new(error).context("pulling")),
            }
        }
        let headers = messages.last().and_then(|message| message.headers.as_ref());
        if let Some(pin) = headers.and_then(|headers| headers.get_last(NATS_PIN_ID)) {
            self.pin = Some(pin.as_str().to_owned());
        }
        Taken { messages, failure }
    }

    /// Lets the next process have the partition at once, instead of after the server's patience.
    pub(crate) async fn hand_over(self, bus: &Bus) -> anyhow::Result<()> {
        let Self { consumer, batches, pin: Some(pin), .. } = self else { return Ok(()) };
        // No more pulls of this process, or it would be pinned again.
        drop(batches);
        let info = consumer.get_info().await.context("asking who is pinned")?;
        if info.priority_groups.iter().any(|group| group.pinned_client_id.as_ref() == Some(&pin)) {
            let stream = bus.js.get_stream_no_info(streams::MESSAGES).await.context("opening the stream")?;
            stream.unpin_consumer(&info.name, streams::PINNED_GROUP).await.context("unpinning")?;
        }
        Ok(())
    }
}

/// Counts this partition as active while its commands come.
#[derive(Default)]
struct Active(Option<Instant>);

impl Active {
    fn refresh(&mut self) {
        if self.0.replace(Instant::now()).is_none() {
            metrics::gauge!(numbers::ACTIVE_PARTITIONS).increment(1);
        }
    }

    fn fade(&mut self) {
        if self.0.is_some_and(|last| last.elapsed() > QUIET) {
            self.0 = None;
            metrics::gauge!(numbers::ACTIVE_PARTITIONS).decrement(1);
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if self.0.is_some() {
            metrics::gauge!(numbers::ACTIVE_PARTITIONS).decrement(1);
        }
    }
}
