//! The names of the chat-store's metrics.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) const MESSAGES_STORED: &str = "talk_messages_stored_total";
pub(crate) const LIKES: &str = "talk_likes_total";
pub(crate) const BATCH_SIZE: &str = "talk_batch_size";
pub(crate) const STORE_SECONDS: &str = "talk_store_seconds";
pub(crate) const STORE_FAILURES: &str = "talk_store_failures_total";
pub(crate) const REDELIVERIES: &str = "talk_redeliveries_total";
pub(crate) const TAKEOVERS: &str = "talk_takeovers_total";
pub(crate) const ROOMS_ERASED: &str = "talk_rooms_erased_total";
pub(crate) const BACKSTOP_REMOVED: &str = "talk_backstop_removed_total";
pub(crate) const ACTIVE_PARTITIONS: &str = "talk_active_partitions";

/// Says what each one counts, and starts them at zero.
pub(crate) fn describe() {
    let counters = [
        (MESSAGES_STORED, "Messages stored, each counted once"),
        (LIKES, "Messages that became liked"),
        (STORE_FAILURES, "Batches that had to be tried again"),
        (REDELIVERIES, "Commands delivered more than once"),
        (TAKEOVERS, "Times that a partition was taken over, or deliveries were missed"),
        (ROOMS_ERASED, "Rooms whose messages were erased at their end"),
        (BACKSTOP_REMOVED, "Messages that the sweep had to remove; stays 0"),
    ];
    for (name, text) in counters {
        describe_counter!(name, text);
        metrics::counter!(name).increment(0);
    }
    describe_histogram!(BATCH_SIZE, "Commands stored at once");
    describe_histogram!(STORE_SECONDS, Unit::Seconds, "How long a batch took from its delivery to its answers");
    describe_gauge!(ACTIVE_PARTITIONS, "Partitions whose commands came here in the last seconds");
}
