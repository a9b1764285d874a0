//! What both collections have in common.

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use mongodb::{IndexModel, bson::Document, options::IndexOptions};
use std::time::Duration;

/// The names of the collections.
pub(super) const USERS: &str = "users";
pub(super) const ROOMS: &str = "rooms";

/// When MongoDB removes a document by itself: an hour after its `expires_at`, so that reconciliation comes first, closes
/// rooms in order, and can count what it finds.
pub(super) const TTL_INDEX_DELAY: Duration = Duration::from_secs(3600);

/// Pauses after conflicts with other writers of the same document: 2 ms, 4 ms, … 100 ms, with jitter.
pub(crate) struct ConflictDelays(ExponentialBackoff);

pub(crate) fn conflict_delays() -> ConflictDelays {
    let delays = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(2))
        .with_max_delay(Duration::from_millis(100))
        .with_jitter()
        .without_max_times();
    ConflictDelays(delays.build())
}

impl ConflictDelays {
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.0.next().unwrap_or(Duration::from_millis(100))).await;
    }
}

pub(super) fn index(keys: Document, options: IndexOptions) -> IndexModel {
    IndexModel::builder().keys(keys).options(options).build()
}
