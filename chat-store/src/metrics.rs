//! The names of the chat-store's metrics.

use proto::metrics;
pub(crate) use proto::metrics::REDELIVERIES;

pub(crate) const MESSAGES_STORED: &str = "talk_messages_stored_total";
pub(crate) const LIKES: &str = "talk_likes_total";
pub(crate) const BATCH_SIZE: &str = "talk_batch_size";
pub(crate) const STORE_SECONDS: &str = "talk_store_seconds";
pub(crate) const STORE_FAILURES: &str = "talk_store_failures_total";
pub(crate) const TAKEOVERS: &str = "talk_takeovers_total";
pub(crate) const ROOMS_ERASED: &str = "talk_rooms_erased_total";
pub(crate) const ROOMS_FULL: &str = "talk_rooms_full_total";
pub(crate) const ORPHANS_REMOVED: &str = "talk_orphans_removed_total";
pub(crate) const ACTIVE_PARTITIONS: &str = "talk_active_partitions";

/// Describes each metric, and starts it at zero.
pub(crate) fn describe() {
    metrics::start("chat-store");
    metrics::counters(&[
        (MESSAGES_STORED, "Messages stored, each counted once"),
        (LIKES, "Messages that became liked"),
        (STORE_FAILURES, "Attempts to apply a batch that failed and were repeated"),
        (TAKEOVERS, "Times that a partition was taken over, or deliveries were missing"),
        (ROOMS_ERASED, "Rooms whose messages were erased at their end"),
        (ROOMS_FULL, "Messages refused because their room holds as much as a room may hold"),
        (ORPHANS_REMOVED, "Messages that the sweep had to remove; stays 0"),
    ]);
    metrics::histograms(&[
        (BATCH_SIZE, "Commands applied at once"),
        (STORE_SECONDS, "How long a batch took from its delivery to its replies"),
    ]);
    metrics::gauges(&[(ACTIVE_PARTITIONS, "Partitions whose commands came here in the last seconds")]);
}
