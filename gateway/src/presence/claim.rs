//! A claim: one connection speaks for one user. The gateway names it with a stamp before anything is published, and
//! uses that stamp in every retry. What follows from the matcher's register is decided by [`Verdict`], which the
//! simulation of the matcher plays too.

use proto::{ConnectionStamp, GatewayId, Register, bus::now_ms, presence::Verdict, timing::FRESH_CLAIM};
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
        Claim { stamp, opened: Instant::now(), held: false }
    }
}

/// A connection's claim to its user.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    stamp: ConnectionStamp,
    /// By the monotonic clock.
    opened: Instant,
    /// A reply has shown it as the newest.
    held: bool,
}

impl Claim {
    /// Its name.
    pub(crate) fn stamp(&self) -> &ConnectionStamp {
        &self.stamp
    }

    /// What follows from the matcher's register. A new stamp has to be taken over by whoever lists this claim.
    pub(crate) fn judge(&mut self, register: Option<&Register>) -> Verdict {
        let fresh = !self.held && self.opened.elapsed() < FRESH_CLAIM;
        let verdict = Verdict::of(&self.stamp, fresh, register);
        match verdict {
            Verdict::Held => self.held = true,
            Verdict::Restamp { opened_at_ms } => self.stamp.opened_at_ms = opened_at_ms,
            Verdict::Unknown | Verdict::Superseded => {}
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::ConnectionState;
    use std::time::Duration;

    fn claim() -> Claim {
        Stamps::new("a".parse().expect("an id")).claim()
    }

    /// That of a gateway whose clock is a minute ahead.
    fn ahead_of(claim: &Claim) -> Register {
        let opened_at_ms = claim.stamp().opened_at_ms + 60_000;
        Register::open(ConnectionStamp { opened_at_ms, gateway: "b".parse().expect("an id"), counter: 1 })
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_is_fresh_for_a_while_by_the_monotonic_clock() {
        for (age, fresh) in [(FRESH_CLAIM - Duration::from_millis(1), true), (FRESH_CLAIM, false)] {
            let mut claim = claim();
            let winner = ahead_of(&claim);
            tokio::time::advance(age).await;
            assert_eq!(claim.judge(Some(&winner)) != Verdict::Superseded, fresh, "after {age:?}");
            assert_eq!(*claim.stamp() > winner.stamp, fresh, "it overtakes the winner");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_that_was_the_newest_yields_to_a_newer_one() {
        let mut claim = claim();
        assert_eq!(claim.judge(Some(&Register::open(claim.stamp().clone()))), Verdict::Held);
        let winner = ahead_of(&claim);
        assert_eq!(claim.judge(Some(&winner)), Verdict::Superseded);
    }

    #[test]
    fn a_live_claim_whose_stamp_was_closed_gets_a_newer_one() {
        let mut claim = claim();
        let closed = Register { stamp: claim.stamp().clone(), state: ConnectionState::Lost };
        assert!(matches!(claim.judge(Some(&closed)), Verdict::Restamp { .. }));
        assert!(*claim.stamp() > closed.stamp);
    }

    #[test]
    fn no_two_claims_have_one_stamp() {
        let stamps = Stamps::new("a".parse().expect("an id"));
        let (first, second) = (stamps.claim(), stamps.claim());
        assert!(first.stamp().counter < second.stamp().counter);
    }
}
