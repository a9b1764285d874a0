//! What the matcher is told, by flags or by the environment. Nothing else reads either.

use clap::Parser;
use proto::{
    ProcessId,
    database::MongoDb,
    service::{Common, ServiceConfig},
};
use std::time::Duration;

/// Pairs people who wait, and owns users and rooms.
///
/// Durations are written like `3s`, `500ms` or `24h`.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Config {
    /// What all services are told.
    #[command(flatten)]
    pub common: Common,
    /// What operators know this matcher by, for instance the name of its pod: at most 55 letters,
    /// digits, '-' or '_'. On the bus each process adds something of its own to it.
    #[arg(long, env = "MATCHER_ID", default_value = "matcher")]
    pub matcher_id: ProcessId,
    /// Copies of each stream in the NATS cluster: 1 on one machine, 3 in production. The matcher makes the streams.
    #[arg(long, env = "NATS_REPLICAS", default_value_t = 1)]
    pub nats_replicas: usize,
    /// Where MongoDB is.
    #[command(flatten)]
    pub mongodb: MongoDb,
    /// How often to look for people to pair when nothing wakes the matcher earlier.
    #[arg(long, env = "MATCH_INTERVAL", default_value = "3s", value_parser = positive)]
    pub match_interval: Duration,
    /// How long somebody waits in vent or listen before they are moved to talk.
    #[arg(long, env = "FALLBACK_AFTER", default_value = "10s", value_parser = humantime::parse_duration)]
    pub fallback_after: Duration,
    /// How long the two of a new room have to enter it; then it is dissolved.
    #[arg(long, env = "JOIN_TIMEOUT", default_value = "15s", value_parser = positive)]
    pub join_timeout: Duration,
    /// How long somebody may be without a connection before they are removed.
    #[arg(long, env = "RESUME_WINDOW", default_value = "30s", value_parser = positive)]
    pub resume_window: Duration,
    /// How long a partner is not told that a draining gateway let a connection go.
    #[arg(long, env = "DRAIN_GRACE", default_value = "5s", value_parser = humantime::parse_duration)]
    pub drain_grace: Duration,
    /// How long a gateway's lease may be missing before its connections count as lost. Comes
    /// on top of the lease's own time to live.
    #[arg(long, env = "GATEWAY_GRACE", default_value = "6s", value_parser = humantime::parse_duration)]
    pub gateway_grace: Duration,
    /// How long MongoDB keeps users and rooms that no matcher has touched: the backstop of
    /// erasure. Refreshed while somebody is connected.
    #[arg(long, env = "ROOM_TTL", default_value = "24h", value_parser = positive)]
    pub room_ttl: Duration,
    /// How long the ticking matcher's lease lives, in whole seconds; renewed at a third of it.
    #[arg(long, env = "TICK_LEASE", default_value = "3s", value_parser = whole_seconds)]
    pub tick_lease: Duration,
}

impl ServiceConfig for Config {
    fn common(&self) -> &Common {
        &self.common
    }

    fn instance(&self) -> String {
        self.matcher_id.to_string()
    }
}

fn positive(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration >= Duration::from_millis(1) { Ok(duration) } else { Err("at least 1ms".to_owned()) }
}

/// As NATS counts times to live.
fn whole_seconds(text: &str) -> Result<Duration, String> {
    let duration = positive(text)?;
    if duration.subsec_nanos() == 0 { Ok(duration) } else { Err("whole seconds, at least 1s".to_owned()) }
}

/// Milliseconds, as MongoDB and the bus count them.
pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_flags_are_well_formed() {
        Config::command().debug_assert();
    }

    #[test]
    fn times_that_nothing_could_work_with_are_refused_at_the_start() {
        for (args, good) in [
            (["--match-interval", "1ms"], true),
            (["--match-interval", "0s"], false),
            (["--match-interval", "1us"], false),
            (["--join-timeout", "0s"], false),
            (["--resume-window", "0s"], false),
            (["--room-ttl", "0s"], false),
            (["--tick-lease", "2s"], true),
            (["--tick-lease", "0s"], false),
            (["--tick-lease", "1500ms"], false),
        ] {
            assert_eq!(Config::try_parse_from(["matcher"].iter().chain(&args)).is_ok(), good, "{args:?}");
        }
    }
}
