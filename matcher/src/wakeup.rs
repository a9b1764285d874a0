//! Wakes the matching loop when there may be somebody to match: directly if this process is the leader, else over the
//! bus. The poll is the safety net for a wake-up that is lost.

use bytes::Bytes;
use futures_util::StreamExt as _;
use proto::{bus::Bus, subjects};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A notification for the leader.
#[derive(Clone)]
pub(crate) struct Wakeup {
    bus: Bus,
    notify: Arc<Notify>,
    leading: Arc<AtomicBool>,
}

impl Wakeup {
    pub(crate) fn new(bus: &Bus) -> Self {
        Self { bus: bus.clone(), notify: Arc::default(), leading: Arc::default() }
    }

    /// Whether this process is the leader.
    pub(crate) fn set_leading(&self, leading: bool) {
        self.leading.store(leading, Ordering::Relaxed);
    }

    /// A probe for whether this process is the leader.
    pub(crate) fn leading(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let leading = self.leading.clone();
        move || leading.load(Ordering::Relaxed)
    }

    /// Somebody can be matched.
    pub(crate) async fn notify(&self) {
        if self.leading.load(Ordering::Relaxed) {
            self.notify.notify_one();
        } else if let Err(error) = self.bus.client.publish(subjects::MATCHER_WAKE, Bytes::new()).await {
            tracing::debug!(%error, "wake-up lost; the poll follows");
        }
    }

    /// Resolves when there was a notification since the last time; one is remembered.
    pub(crate) async fn notified(&self) {
        self.notify.notified().await;
    }

    /// Receives the wake-ups of other replicas, until `shutdown`.
    pub(crate) async fn subscribe(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mut others = self.bus.client.subscribe(subjects::MATCHER_WAKE).await?;
        while let Some(Some(_)) = shutdown.run_until_cancelled(others.next()).await {
            self.notify.notify_one();
        }
        Ok(())
    }
}
