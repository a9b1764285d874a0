//! Wakes the matching loop when there may be somebody to match: by a notification if this
//! process ticks, else over the bus. The poll is the safety net for a wake-up that is lost.

use bytes::Bytes;
use futures_util::StreamExt as _;
use proto::{bus::Bus, subjects};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A bell for whoever ticks.
#[derive(Clone)]
pub(crate) struct Wake {
    bus: Bus,
    bell: Arc<Notify>,
    ticking: Arc<AtomicBool>,
}

impl Wake {
    pub(crate) fn new(bus: &Bus) -> Self {
        Self { bus: bus.clone(), bell: Arc::default(), ticking: Arc::default() }
    }

    /// Whether this process ticks.
    pub(crate) fn set_ticking(&self, ticking: bool) {
        self.ticking.store(ticking, Ordering::Relaxed);
    }

    /// Says whether this process ticks, to whoever asks later.
    pub(crate) fn ticking(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let ticking = self.ticking.clone();
        move || ticking.load(Ordering::Relaxed)
    }

    /// Somebody can be matched.
    pub(crate) async fn ring(&self) {
        if self.ticking.load(Ordering::Relaxed) {
            self.bell.notify_one();
        } else if let Err(error) = self.bus.client.publish(subjects::MATCHER_WAKE, Bytes::new()).await {
            tracing::debug!(%error, "the wake-up is lost; the poll finds them");
        }
    }

    /// Somebody can be matched once this time has passed.
    pub(crate) async fn ring_after(&self, delay: Duration) {
        if delay.is_zero() {
            return self.ring().await;
        }
        let wake = self.clone();
        tokio::spawn(async move {
            // One more, since times are stored in whole milliseconds.
            tokio::time::sleep(delay + Duration::from_millis(1)).await;
            wake.ring().await;
        });
    }

    /// Returns when the bell has been rung since the last time; one ring is remembered.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Rings for the wake-ups of other replicas, until `shutdown`.
    pub(crate) async fn listen(&self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let mut others = self.bus.client.subscribe(subjects::MATCHER_WAKE).await?;
        while let Some(Some(_)) = shutdown.run_until_cancelled(others.next()).await {
            self.bell.notify_one();
        }
        Ok(())
    }
}
