//! What a live connection makes of the register that the matcher has: pure, so that the simulation of the matcher plays
//! the very decision of the gateways.

use super::{ConnectionStamp, Register};

/// What follows for a connection that speaks for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the newest connection.
    Held,
    /// Its command was lost, or is on its way: it is published again, with the same stamp.
    Repeated,
    /// It is published again with a newer stamp, opened at this time at the earliest, in milliseconds since 1970.
    Renewed {
        /// One more than that of the register.
        opened_at_ms: i64,
    },
    /// A newer connection speaks for the user: this one is closed.
    Superseded,
}

impl Claim {
    /// Compares a connection with the register. `fresh` is one that has never been the newest yet, and is younger than
    /// [`crate::timing::FRESH_CLAIM`] by the clock of its own process: it may have lost to a clock that is ahead.
    #[must_use]
    pub fn decide(own: &ConnectionStamp, fresh: bool, register: Option<&Register>) -> Self {
        let Some(register) = register.filter(|register| register.stamp >= *own) else { return Self::Repeated };
        let renewed = Self::Renewed { opened_at_ms: register.stamp.opened_at_ms.saturating_add(1) };
        match register.stamp == *own {
            true if register.is_open() => Self::Held,
            // A live connection is not closed by a dead one, whatever closed its stamp.
            _ if !register.is_open() => renewed,
            _ if fresh && !is_newer_on_the_same_gateway(&register.stamp, own) => renewed,
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
        let renewed = |opened_at_ms| Claim::Renewed { opened_at_ms };
        for (case, fresh, register, expected) in [
            ("never applied", true, None, Claim::Repeated),
            ("an older one is known", false, Some((stamp(99, "z"), open)), Claim::Repeated),
            ("an older one is closed", false, Some((stamp(99, "z"), lost)), Claim::Repeated),
            ("it is known", false, Some((own.clone(), open)), Claim::Held),
            ("it was closed by mistake", false, Some((own.clone(), lost)), renewed(101)),
            ("a newer one is open", false, Some((stamp(105, "b"), open)), Claim::Superseded),
            ("a newer one of the same gateway is open", true, Some((newer(105, "a"), open)), Claim::Superseded),
            ("an older one of the same gateway was renewed", true, Some((older(105, "a"), open)), renewed(106)),
            ("another gateway's clock is ahead", true, Some((stamp(105, "b"), open)), renewed(106)),
            ("a newer one is closed already", false, Some((stamp(105, "b"), lost)), renewed(106)),
        ] {
            let register = register.map(|(stamp, state)| Register { stamp, state });
            assert_eq!(Claim::decide(&own, fresh, register.as_ref()), expected, "{case}");
        }
    }
}
