//! The names of the matcher's metrics. Those that describe the whole system are set by the leader; the other replicas
//! have them at zero, so that a sum over all replicas is right.

use crate::domain::placement::State;
use proto::{Queue, UserCommand, metrics, streams, subjects};

pub(crate) const LEADER: &str = "talk_matcher_leader";
pub(crate) const MATCH_ROUND_SECONDS: &str = "talk_match_round_seconds";
pub(crate) const MATCHES: &str = "talk_matches_total";
pub(crate) const MATCH_WAIT_SECONDS: &str = "talk_match_wait_seconds";
pub(crate) const FALLBACKS: &str = "talk_fallbacks_total";
pub(crate) const MATCH_CONFLICTS: &str = "talk_match_conflicts_total";
pub(crate) const ROOMS_NOT_ENTERED: &str = "talk_rooms_not_entered_total";
pub(crate) const ORPHANS_REMOVED: &str = "talk_orphans_removed_total";
pub(crate) const COMMAND_OUTCOMES: &str = "talk_commands_total";
pub(crate) const WAITING: &str = "talk_waiting";
pub(crate) const OLDEST_WAIT_SECONDS: &str = "talk_oldest_wait_seconds";
pub(crate) const USERS: &str = "talk_users";
pub(crate) const ROOMS_OPEN: &str = "talk_rooms_open";
pub(crate) const CONSUMER_PENDING: &str = "talk_consumer_pending";
pub(crate) const CONSUMER_UNACKNOWLEDGED: &str = "talk_consumer_unacknowledged";
pub(crate) const DEAD_LETTERS: &str = "talk_dead_letters";

/// What became of a command.
#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    Applied,
    Refused,
    Failed,
    DeadLettered,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Applied, Self::Refused, Self::Failed, Self::DeadLettered];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::DeadLettered => "dead_lettered",
        }
    }
}

/// Describes all metrics, and sets them to zero.
pub(crate) fn describe() {
    metrics::start("matcher");
    metrics::counters(&[
        (MATCHES, "Pairs that were matched"),
        (FALLBACKS, "Users who waited too long in vent or listen and were moved to talk"),
        (MATCH_CONFLICTS, "Pairs that changed between being read and being claimed"),
        (ROOMS_NOT_ENTERED, "Rooms that were closed because a member did not enter in time"),
        (ORPHANS_REMOVED, "Connections, users and rooms that reconciliation had to remove; stays 0"),
    ]);
    metrics::histograms(&[
        (MATCH_ROUND_SECONDS, "How long a round of matching took"),
        (MATCH_WAIT_SECONDS, "How long a user had waited when they were matched"),
    ]);
    ::metrics::describe_counter!(COMMAND_OUTCOMES, "Commands about users, by type and outcome");
    for kind in UserCommand::NAMES {
        for outcome in Outcome::ALL {
            ::metrics::counter!(COMMAND_OUTCOMES, "type" => *kind, "outcome" => outcome.name()).increment(0);
        }
    }
    describe_gauges();
}

fn describe_gauges() {
    metrics::gauges(&[
        (LEADER, "1 while this matcher is the leader"),
        (ROOMS_OPEN, "Open rooms"),
        (DEAD_LETTERS, "Dead letters in their stream"),
    ]);
    let queues = || Queue::ALL.map(Queue::as_str);
    metrics::gauge_by((WAITING, "Connected users who wait, by queue"), "queue", queues());
    metrics::gauge_by((OLDEST_WAIT_SECONDS, "How long the first of a queue has waited"), "queue", queues());
    metrics::gauge_by((USERS, "Users by state; gone are those who were erased just now"), "state", State::NAMES);
    ::metrics::describe_gauge!(CONSUMER_PENDING, "Commands that no consumer has received yet");
    ::metrics::describe_gauge!(CONSUMER_UNACKNOWLEDGED, "Commands that were received and are not done yet");
}

/// Another matcher is the leader from now on.
pub(crate) fn set_gauges_to_zero() {
    for queue in Queue::ALL {
        ::metrics::gauge!(WAITING, "queue" => queue.as_str()).set(0.0);
        ::metrics::gauge!(OLDEST_WAIT_SECONDS, "queue" => queue.as_str()).set(0.0);
    }
    for state in State::NAMES {
        ::metrics::gauge!(USERS, "state" => state).set(0.0);
    }
    ::metrics::gauge!(ROOMS_OPEN).set(0.0);
    ::metrics::gauge!(DEAD_LETTERS).set(0.0);
    let partitions = (0..subjects::PARTITIONS).map(streams::partition_consumer_name);
    for consumer in partitions.chain([streams::MATCHER.to_owned()]) {
        ::metrics::gauge!(CONSUMER_UNACKNOWLEDGED, "consumer" => consumer.clone()).set(0.0);
        ::metrics::gauge!(CONSUMER_PENDING, "consumer" => consumer).set(0.0);
    }
}
