//! The names of the matcher's metrics. Those that count people are kept by the one that ticks; the
//! others have them at zero, so that a sum over all replicas is right.

use crate::user::State;
use proto::{Queue, UserCommand, numbers, streams, subjects};

pub(crate) const TICKING: &str = "talk_ticking";
pub(crate) const TICK_SECONDS: &str = "talk_tick_seconds";
pub(crate) const MATCHES: &str = "talk_matches_total";
pub(crate) const MATCH_WAIT_SECONDS: &str = "talk_match_wait_seconds";
pub(crate) const FALLBACKS: &str = "talk_fallbacks_total";
pub(crate) const CLAIMS_REFUSED: &str = "talk_claims_refused_total";
pub(crate) const ROOMS_NOT_ENTERED: &str = "talk_rooms_not_entered_total";
pub(crate) const BACKSTOP_REMOVED: &str = "talk_backstop_removed_total";
pub(crate) const COMMANDS: &str = "talk_commands_total";
pub(crate) const WAITING: &str = "talk_waiting";
pub(crate) const OLDEST_WAIT_SECONDS: &str = "talk_oldest_wait_seconds";
pub(crate) const USERS: &str = "talk_users";
pub(crate) const ROOMS_OPEN: &str = "talk_rooms_open";
pub(crate) const CONSUMER_PENDING: &str = "talk_consumer_pending";
pub(crate) const CONSUMER_UNACKNOWLEDGED: &str = "talk_consumer_unacknowledged";
pub(crate) const DEAD_LETTERS: &str = "talk_dead_letters";

/// Says what each one counts, and starts them at zero.
pub(crate) fn describe() {
    numbers::start("matcher");
    numbers::counters(&[
        (MATCHES, "Pairs that were matched"),
        (FALLBACKS, "People who waited too long in vent or listen and were moved to talk"),
        (CLAIMS_REFUSED, "Pairs that another matcher was faster with"),
        (ROOMS_NOT_ENTERED, "Rooms that were dissolved because somebody did not enter in time"),
        (BACKSTOP_REMOVED, "What the backstop had to remove; stays 0"),
    ]);
    numbers::histograms(&[
        (TICK_SECONDS, "How long a tick took"),
        (MATCH_WAIT_SECONDS, "How long somebody had waited when they were matched"),
    ]);
    metrics::describe_counter!(COMMANDS, "Commands of people, by what came of them");
    for kind in UserCommand::NAMES {
        for outcome in ["applied", "refused", "failed", "buried"] {
            metrics::counter!(COMMANDS, "type" => *kind, "outcome" => outcome).increment(0);
        }
    }
    describe_people();
}

fn describe_people() {
    numbers::gauges(&[
        (TICKING, "1 while this matcher is the one that ticks"),
        (ROOMS_OPEN, "Rooms that are open"),
        (DEAD_LETTERS, "Dead letters that lie in their stream"),
    ]);
    let queues = || Queue::ALL.map(Queue::as_str);
    numbers::gauge_by((WAITING, "People who can be matched and were not yet, by queue"), "queue", queues());
    numbers::gauge_by((OLDEST_WAIT_SECONDS, "How long the first of a queue has waited"), "queue", queues());
    numbers::gauge_by((USERS, "Users by state; gone are those who were erased just now"), "state", State::NAMES);
    metrics::describe_gauge!(CONSUMER_PENDING, "Commands that no consumer has taken yet");
    metrics::describe_gauge!(CONSUMER_UNACKNOWLEDGED, "Commands that were taken and are not done yet");
}

/// From now on another one counts people.
pub(crate) fn count_nobody() {
    for queue in Queue::ALL {
        metrics::gauge!(WAITING, "queue" => queue.as_str()).set(0.0);
        metrics::gauge!(OLDEST_WAIT_SECONDS, "queue" => queue.as_str()).set(0.0);
    }
    for state in State::NAMES {
        metrics::gauge!(USERS, "state" => state).set(0.0);
    }
    metrics::gauge!(ROOMS_OPEN).set(0.0);
    metrics::gauge!(DEAD_LETTERS).set(0.0);
    let partitions = (0..subjects::PARTITIONS).map(streams::partition_consumer_name);
    for consumer in partitions.chain([streams::MATCHER.to_owned()]) {
        metrics::gauge!(CONSUMER_UNACKNOWLEDGED, "consumer" => consumer.clone()).set(0.0);
        metrics::gauge!(CONSUMER_PENDING, "consumer" => consumer).set(0.0);
    }
}
