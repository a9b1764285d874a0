//! What a live connection makes of the register that the matcher has: pure, so that the simulation of the matcher plays
//! the very decision of the gateways.

use super::{ConnectionStamp, Register};

/// What follows for a live connection that speaks for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the newest connection.
    Held,
    /// Its command was lost, or is on its way: it is published again, with the same stamp.
    Unknown,
    /// It is published again, with a newer stamp: its own was closed although it is alive, or it lost to a clock that is
    /// ahead.
    Restamp {
        /// One more than that of the register, in milliseconds since 1970.
        opened_at_ms: i64,
    },
    /// A newer connection speaks for the user: this one is closed.
    Superseded,
}

impl Verdict {
    /// Compares a connection with the register. `fresh` is one that has never been the newest yet, and is younger than
    /// [`crate::timing::FRESH_CLAIM`] by the clock of its own process: it may have lost to a clock that is ahead.
    #[must_use]
    pub fn of(own: &ConnectionStamp, fresh: bool, register: Option<&Register>) -> Self {
        let Some(register) = register.filter(|register| register.stamp >= *own) else { return Self::Unknown };
        let restamp = Self::Restamp { opened_at_ms: register.stamp.opened_at_ms.saturating_add(1) };
        match register.stamp == *own {
            true if register.is_open() => Self::Held,
            // A live connection is not closed by a dead one, whatever closed its stamp.
            _ if !register.is_open() => restamp,
            _ if fresh && !is_newer_on_the_same_gateway(&register.stamp, own) => restamp,
            _ => Self::Superseded,
        }
    }
}

/// A process knows which of its connections is newer, whatever became of their stamps.
fn is_newer_on_the_same_gateway(winner: &ConnectionStamp, own: &ConnectionStamp) -> bool {
    winner.gateway == own.gateway && winner.counter > own.counter
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::ConnectionState;

    fn stamp(opened_at_ms: i64, gateway: &str) -> ConnectionStamp {
        ConnectionStamp { opened_at_ms, gateway: gateway.parse().expect("an id"), counter: 7 }
    }

    fn older(opened_at_ms: i64, gateway: &str) -> ConnectionStamp {
        ConnectionStamp { counter: 6, ..stamp(opened_at_ms, gateway) }
    }

    fn newer(opened_at_ms: i64, gateway: &str) -> ConnectionStamp {
        ConnectionStamp { counter: 8, ..stamp(opened_at_ms, gateway) }
    }

    #[test]
    fn a_live_connection_yields_only_to_a_newer_open_one() {
        let own = stamp(100, "a");
        let (open, lost) = (ConnectionState::Open, ConnectionState::Lost);
        let restamp = |opened_at_ms| Verdict::Restamp { opened_at_ms };
        for (case, fresh, register, expected) in [
            ("never applied", true, None, Verdict::Unknown),
            ("an older one is known", false, Some((stamp(99, "z"), open)), Verdict::Unknown),
            ("an older one is closed", false, Some((stamp(99, "z"), lost)), Verdict::Unknown),
            ("it is known", false, Some((own.clone(), open)), Verdict::Held),
            ("it was closed by mistake", false, Some((own.clone(), lost)), restamp(101)),
            ("a newer one is open", false, Some((stamp(105, "b"), open)), Verdict::Superseded),
            ("a newer one of the same gateway is open", true, Some((newer(105, "a"), open)), Verdict::Superseded),
            ("an older one of the same gateway was stamped again", true, Some((older(105, "a"), open)), restamp(106)),
            ("another gateway's clock is ahead", true, Some((stamp(105, "b"), open)), restamp(106)),
            ("a newer one is closed already", false, Some((stamp(105, "b"), lost)), restamp(106)),
        ] {
            let register = register.map(|(stamp, state)| Register { stamp, state });
            assert_eq!(Verdict::of(&own, fresh, register.as_ref()), expected, "{case}");
        }
    }
}
