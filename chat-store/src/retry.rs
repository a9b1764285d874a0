//! Patience with MongoDB: delays between tries, and keeping what is in hand.

use crate::numbers;
use async_nats::jetstream::AckKind;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use proto::{RoomCommand, bus::Delivery, streams};
use std::{convert::Infallible, future::Future, time::Duration};

/// How long one try may take. MongoDB that hangs must not hang this process.
pub(crate) const APPLY_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// Delays between tries, without end.
pub(crate) fn delays() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_DELAY)
        .with_max_delay(LONGEST_DELAY)
        .with_jitter()
        .without_max_times()
        .build()
}

/// Works on something, and tells the server meanwhile that these deliveries are in good hands.
pub(crate) async fn holding<T>(held: &[Delivery<RoomCommand>], work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        never = keep(held) => match never {},
    }
}

async fn keep(held: &[Delivery<RoomCommand>]) -> Infallible {
    loop {
        tokio::time::sleep(streams::PINNED_TIMEOUT / 3).await;
        for delivery in held {
            if let Err(error) = delivery.raw.ack_with(AckKind::Progress).await {
                // It is delivered twice then, which does no harm.
                tracing::debug!(%error, "a delivery could not be kept");
            }
        }
    }
}

/// Logs a failure once, however often it comes again, and counts every one.
pub(crate) fn failed(partition: u32, tries: u32, error: &dyn std::fmt::Display) {
    metrics::counter!(numbers::STORE_FAILURES).increment(1);
    if tries == 1 {
        tracing::warn!(partition, "a batch is tried again until it works: {error}");
    } else {
        tracing::debug!(partition, tries, "a batch failed again: {error}");
    }
}
