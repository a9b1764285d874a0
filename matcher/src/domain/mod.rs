//! Pure decisions: what a command makes of a user, who is paired, who is gone, how a room is closed. Nothing here knows
//! MongoDB's driver, NATS or tokio.

pub(crate) mod leases;
pub(crate) mod pairing;
pub(crate) mod placement;
pub(crate) mod presence;
pub(crate) mod room;
pub(crate) mod user;

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod simulation;

use std::time::Duration;

/// Milliseconds, as MongoDB and the bus count them.
pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::presence::Timeouts;
    use proto::ConnectionStamp;
    use std::time::Duration;

    pub(crate) const NOW: i64 = 1_000_000;
    pub(crate) const LATER: i64 = NOW + 3_600_000;
    pub(crate) const TIMEOUTS: Timeouts =
        Timeouts { resume_window: Duration::from_secs(30), drain_grace: Duration::from_secs(5) };

    /// The `counter`th connection, on `gateway-1`.
    pub(crate) fn stamp(counter: u64) -> ConnectionStamp {
        ConnectionStamp { opened_at_ms: NOW, gateway: "gateway-1".parse().expect("an id"), counter }
    }
}
