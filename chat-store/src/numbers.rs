//! The names of the chat-store's metrics.

use proto::numbers;
pub(crate) use proto::numbers::REDELIVERIES;

pub(crate) const MESSAGES_STORED: &str = "talk_messages_stored_total";
pub(crate) const LIKES: &str = "talk_likes_total";
pub(crate) const BATCH_SIZE: &str = "talk_batch_size";
pub(crate) const STORE_SECONDS: &str = "talk_store_seconds";
pub(crate) const STORE_FAILURES: &str = "talk_store_failures_total";
pub(crate) const TAKEOVERS: &str = "talk_takeovers_total";
pub(crate) const ROOMS_ERASED: &str = "talk_rooms_erased_total";
pub(crate) const BACKSTOP_REMOVED: &str = "talk_backstop_removed_total";
pub(crate) const ACTIVE_PARTITIONS: &str = "talk_active_partitions";

/// Says what each one counts, and starts them at zero.
pub(crate) fn describe() {
    numbers::start("chat-store");
    numbers::counters(&[
        (MESSAGES_STORED, "Messages stored, each counted once"),
        (LIKES, "Messages that became liked"),
        (STORE_FAILURES, "Batches that had to be tried again"),
        (TAKEOVERS, "Times that a partition was taken over, or deliveries were missed"),
        (ROOMS_ERASED, "Rooms whose messages were erased at their end"),
        (BACKSTOP_REMOVED, "Messages that the sweep had to remove; stays 0"),
    ]);
    numbers::histograms(&[
        (BATCH_SIZE, "Commands stored at once"),
        (STORE_SECONDS, "How long a batch took from its delivery to its answers"),
    ]);
    numbers::gauges(&[(ACTIVE_PARTITIONS, "Partitions whose commands came here in the last seconds")]);
}
