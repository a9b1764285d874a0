//! A claim: one connection speaks for one user. The gateway names it with a stamp before anything is published, and
//! uses that stamp in every retry. What follows from the matcher's register is decided here, without I/O.

use proto::{ConnectionStamp, GatewayId, Register, bus::now_ms, timing::FRESH_CLAIM};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// Makes the stamps of this gateway.
pub(crate) struct Stamps {
    gateway: GatewayId,
    counter: AtomicU64,
}

impl Stamps {
    /// Of a process, whose id is never used again.
    pub(crate) fn new(gateway: GatewayId) -> Self {
        Self { gateway, counter: AtomicU64::new(0) }
    }

    /// A claim that begins now.
    pub(crate) fn claim(&self) -> Claim {
        let counter = self.counter.fetch_add(1, Ordering::Relaxed) + 1;
        let stamp = ConnectionStamp { opened_at_ms: now_ms(), gateway: self.gateway.clone(), counter };
        Claim { stamp, opened: Instant::now() }
    }
}

/// A connection's claim to its user.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    stamp: ConnectionStamp,
    /// By the monotonic clock.
    opened: Instant,
}

/// What follows from the matcher's register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The register is this claim's, and open.
    Held,
    /// The matcher does not have this claim: it is published again, with the same stamp.
    Unknown,
    /// It is published again, with this stamp: its own was closed although the socket is open, or a connection that is
    /// older has a newer stamp, since clocks differ.
    Restamp(ConnectionStamp),
    /// A newer connection speaks for the user.
    Superseded,
}

impl Claim {
    /// Its name.
    pub(crate) fn stamp(&self) -> &ConnectionStamp {
        &self.stamp
    }

    /// Takes the stamp of [`Verdict::Restamp`].
    pub(crate) fn restamp(&mut self, stamp: ConnectionStamp) {
        self.stamp = stamp;
    }

    /// What follows from this register.
    pub(crate) fn judge(&self, register: Option<&Register>) -> Verdict {
        decide(&self.stamp, self.opened.elapsed() < FRESH_CLAIM, now_ms(), register)
    }
}

/// The rules, of a claim whose socket is open. The counter stays that of the connection, so that among connections of
/// one gateway it shows which is newer, however often one was stamped again.
fn decide(own: &ConnectionStamp, fresh: bool, now_ms: i64, register: Option<&Register>) -> Verdict {
    let Some(register) = register else { return Verdict::Unknown };
    let restamp = |opened_at_ms| Verdict::Restamp(ConnectionStamp { opened_at_ms, ..own.clone() });
    let winner = &register.stamp;
    if winner < own {
        Verdict::Unknown
    } else if winner == own && register.is_open() {
        Verdict::Held
    } else if winner == own {
        restamp(now_ms.max(own.opened_at_ms + 1))
    } else if fresh && !(winner.gateway == own.gateway && winner.counter > own.counter) {
        restamp(winner.opened_at_ms + 1)
    } else {
        Verdict::Superseded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proto::ConnectionState;

    const NOW: i64 = 1000;

    fn stamp(opened_at_ms: i64, gateway: &str, counter: u64) -> ConnectionStamp {
        ConnectionStamp { opened_at_ms, gateway: gateway.parse().expect("an id"), counter }
    }

    fn register(stamp: ConnectionStamp, state: ConnectionState) -> Option<Register> {
        Some(Register { stamp, state })
    }

    #[test]
    fn each_register_has_one_verdict() {
        use ConnectionState::{Drained, Lost, Open};
        let own = || stamp(100, "a", 7);
        let again = |opened_at_ms| Verdict::Restamp(stamp(opened_at_ms, "a", 7));
        for (name, fresh, register, expected) in [
            ("no register", true, None, Verdict::Unknown),
            ("no register, not fresh", false, None, Verdict::Unknown),
            ("an older one", false, register(stamp(99, "b", 9), Open), Verdict::Unknown),
            ("an older one that is closed", false, register(stamp(99, "b", 9), Lost), Verdict::Unknown),
            ("its own", false, register(own(), Open), Verdict::Held),
            ("its own, lost", false, register(own(), Lost), again(NOW)),
            ("its own, drained, and a clock that is behind", true, register(stamp(100, "a", 7), Drained), again(NOW)),
            ("a newer one", false, register(stamp(101, "b", 1), Open), Verdict::Superseded),
            ("a newer one that is closed", false, register(stamp(101, "b", 1), Lost), Verdict::Superseded),
            ("a newer stamp, and fresh", true, register(stamp(5000, "b", 1), Open), again(5001)),
            ("a newer one of the same gateway", true, register(stamp(101, "a", 8), Open), Verdict::Superseded),
            ("an older one of the same gateway, stamped again", true, register(stamp(500, "a", 6), Open), again(501)),
        ] {
            assert_eq!(decide(&own(), fresh, NOW, register.as_ref()), expected, "{name}");
        }
        let ahead = stamp(5000, "a", 7);
        let closed = register(ahead.clone(), Lost);
        assert_eq!(decide(&ahead, false, NOW, closed.as_ref()), again(5001), "closed, and stamped ahead of the clock");
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_is_fresh_for_a_while_by_the_monotonic_clock() {
        let claim = Stamps::new("a".parse().expect("an id")).claim();
        let newer = register(stamp(claim.stamp().opened_at_ms + 60_000, "b", 1), ConnectionState::Open);
        tokio::time::advance(FRESH_CLAIM - std::time::Duration::from_millis(1)).await;
        assert!(matches!(claim.judge(newer.as_ref()), Verdict::Restamp(_)));
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        assert_eq!(claim.judge(newer.as_ref()), Verdict::Superseded);
    }

    #[test]
    fn no_two_claims_have_one_stamp() {
        let stamps = Stamps::new("a".parse().expect("an id"));
        let (first, second) = (stamps.claim(), stamps.claim());
        assert!(first.stamp().counter < second.stamp().counter);
    }

    proptest! {
        #[test]
        fn a_stamp_that_is_taken_wins_over_the_register_that_was_seen(
            opened in 0_i64..4, other in 0_i64..4, counter in 0_u64..4, same in any::<bool>(),
            fresh in any::<bool>(), now in 0_i64..8, open in any::<bool>(),
        ) {
            let own = stamp(opened, "a", 2);
            let state = if open { ConnectionState::Open } else { ConnectionState::Lost };
            let seen = Register { stamp: stamp(other, if same { "a" } else { "b" }, counter), state };
            if let Verdict::Restamp(taken) = decide(&own, fresh, now, Some(&seen)) {
                let mut merged = Some(seen);
                prop_assert!(Register::merge(&mut merged, Register::open(taken.clone())));
                prop_assert_eq!(decide(&taken, fresh, now, merged.as_ref()), Verdict::Held);
            }
        }
    }
}
