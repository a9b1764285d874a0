//! How many users wait, as the leader publishes it after each round of matching.

use anyhow::Context as _;
use futures_util::StreamExt as _;
use proto::{bus::Bus, notification::QueueStatus, subjects};
use tokio::sync::watch;

/// Follows the queue status for as long as the process runs.
pub(crate) struct QueueStatusFeed {
    published: async_nats::Subscriber,
    latest: watch::Sender<QueueStatus>,
}

impl QueueStatusFeed {
    /// Subscribes.
    ///
    /// # Errors
    /// When NATS is unavailable.
    pub(crate) async fn start(bus: &Bus) -> anyhow::Result<(Self, watch::Receiver<QueueStatus>)> {
        let published =
            bus.client.subscribe(subjects::QUEUE_STATUS).await.context("subscribing to the queue status")?;
        let (latest, receiver) = watch::channel(QueueStatus::default());
        Ok((Self { published, latest }, receiver))
    }

    /// Keeps the latest status until the subscription ends.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        while let Some(message) = self.published.next().await {
            match serde_json::from_slice(&message.payload) {
                Ok(status) => drop(self.latest.send_replace(status)),
                Err(error) => tracing::error!(line = error.line(), "queue status not decodable"),
            }
        }
        anyhow::bail!("the subscription to the queue status ended")
    }
}
