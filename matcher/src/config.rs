//! The matcher's configuration, by flags or environment. Nothing else reads either.

use clap::Parser;
use proto::{
    ProcessId,
    database::MongoDb,
    process::{Common, ServiceConfig, positive, whole_seconds},
};
use std::time::Duration;

/// Pairs people who wait, and owns users and rooms.
///
/// Durations are written like `3s`, `500ms` or `24h`. Those that must be read against each other are explained in
/// `matcher/README.md`.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Config {
    /// What all services have in common.
    #[command(flatten)]
    pub common: Common,
    /// The name of this matcher for operators, for instance that of its pod: at most 55 letters, digits, '-' or '_'. On
    /// the bus each process adds a part of its own.
    #[arg(long, env = "MATCHER_ID", default_value = "matcher")]
    pub matcher_id: ProcessId,
    /// Copies of each stream in the NATS cluster: 1 on one machine, 3 in production. The matcher creates the streams.
    #[arg(long, env = "NATS_REPLICAS", default_value_t = 1)]
    pub nats_replicas: usize,
    /// Where MongoDB is.
    #[command(flatten)]
    pub mongodb: MongoDb,
    /// How often people are matched when nothing wakes the leader earlier.
    #[arg(long, env = "MATCH_INTERVAL", default_value = "3s", value_parser = positive)]
    pub match_interval: Duration,
    /// How long somebody waits in vent or listen before they are moved to talk.
    #[arg(long, env = "FALLBACK_AFTER", default_value = "10s", value_parser = humantime::parse_duration)]
    pub fallback_after: Duration,
    /// How long the two of a new room have to enter it; then it is closed.
    #[arg(long, env = "ENTER_TIMEOUT", default_value = "15s", value_parser = positive)]
    pub enter_timeout: Duration,
    /// How long a user may be without a connection before they are removed.
    #[arg(long, env = "RESUME_WINDOW", default_value = "30s", value_parser = positive)]
    pub resume_window: Duration,
    /// How long the partner is not notified of a connection that a draining gateway closed.
    #[arg(long, env = "DRAIN_GRACE", default_value = "5s", value_parser = humantime::parse_duration)]
    pub drain_grace: Duration,
    /// How long a gateway's lease may be missing before its connections count as lost. Comes on top of the lease's own
    /// time to live.
    #[arg(long, env = "LEASE_GRACE", default_value = "3s", value_parser = humantime::parse_duration)]
    pub lease_grace: Duration,
    /// How often the registers are compared with what the gateways serve.
    #[arg(long, env = "RECONCILE_INTERVAL", default_value = "20s", value_parser = positive)]
    pub reconcile_interval: Duration,
    /// How long a room may be open, and how long MongoDB keeps what everything else forgot. Not renewed: longer than any
    /// conversation.
    #[arg(long, env = "ROOM_TTL", default_value = "7d", value_parser = positive)]
    pub room_ttl: Duration,
    /// How long the leader's lease lives, in whole seconds; renewed at a third of it.
    #[arg(long, env = "LEADER_LEASE", default_value = "3s", value_parser = whole_seconds)]
    pub leader_lease: Duration,
}

impl ServiceConfig for Config {
    fn common(&self) -> &Common {
        &self.common
    }

    fn instance(&self) -> String {
        self.matcher_id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use proto::timing;

    #[test]
    fn the_flags_are_well_formed() {
        Config::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_those_that_fit_together() {
        let config = Config::parse_from(["matcher"]);
        for (set, expected) in [
            (config.match_interval, timing::MATCH_INTERVAL),
            (config.fallback_after, timing::FALLBACK_AFTER),
            (config.enter_timeout, timing::ENTER_TIMEOUT),
            (config.resume_window, timing::RESUME_WINDOW),
            (config.drain_grace, timing::DRAIN_GRACE),
            (config.lease_grace, timing::LEASE_GRACE),
            (config.reconcile_interval, timing::RECONCILE),
            (config.room_ttl, timing::ROOM_TTL),
            (config.leader_lease, timing::LEADER_LEASE),
        ] {
            assert_eq!(set, expected);
        }
    }

    #[test]
    fn times_that_nothing_could_work_with_are_refused_at_the_start() {
        for (args, good) in [
            (["--match-interval", "1ms"], true),
            (["--match-interval", "0s"], false),
            (["--match-interval", "1us"], false),
            (["--enter-timeout", "0s"], false),
            (["--resume-window", "0s"], false),
            (["--reconcile-interval", "0s"], false),
            (["--room-ttl", "0s"], false),
            (["--leader-lease", "2s"], true),
            (["--leader-lease", "0s"], false),
            (["--leader-lease", "1500ms"], false),
        ] {
            assert_eq!(Config::try_parse_from(["matcher"].iter().chain(&args)).is_ok(), good, "{args:?}");
        }
    }
}
