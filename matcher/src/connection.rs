//! What connections make of a user: pure steps, in whatever order they arrive. Tested in `connection_tests`.

use crate::{
    config::ms,
    user::{Changed, Stamp, State, User},
};
use proto::{GatewayId, Refusal};
use std::time::Duration;

/// How far the clocks of gateways and of NATS may be apart; well above what NTP leaves.
pub(crate) const CLOCKS_AGREE: Duration = Duration::from_secs(1);
/// Whoever said this long ago that a connection is there has said it anew or taken it back: a dead letter, replayed.
pub(crate) const SAID_ANEW: Duration = Duration::from_secs(60);

/// A connection that is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone {
    pub(crate) epoch: u64,
    /// The last room sequence that it had been sent; nothing when nobody knows.
    pub(crate) seen: Option<u64>,
    /// The stream sequence of the command that says so; 0 when a lease lapsed.
    pub(crate) sequence: u64,
    pub(crate) now: i64,
    /// When to tell the partner; nothing for at once.
    pub(crate) partner_hears_at: Option<i64>,
}

impl User {
    /// A socket speaks for them.
    pub(crate) fn connect(
        &mut self,
        stamp: Stamp,
        gateway: &GatewayId,
        reassert: Option<u64>,
    ) -> Result<Changed, Refusal> {
        if self.epoch == stamp.sequence && self.connected {
            return Ok(false);
        }
        let replaced = reassert.is_some_and(|old| !self.is_newest(old) || self.let_go > stamp.sequence);
        // With the same epoch it is gone already: the disconnect was faster.
        let gone = self.epoch >= stamp.sequence || self.gone_unheard.contains(&stamp.sequence);
        if gone || replaced || self.is_overtaken(stamp) {
            return Err(Refusal::Outdated);
        }
        if self.would_revive(stamp) || stamp.taken_at.saturating_sub(stamp.said_at) > ms(SAID_ANEW) {
            return Err(Refusal::Failed);
        }
        self.epoch = stamp.sequence;
        self.gone_unheard.retain(|epoch| *epoch > stamp.sequence);
        if reassert.is_none() {
            self.said_at = stamp.said_at;
        }
        self.reasserted = reassert.unwrap_or(0);
        self.connected = true;
        self.gateway = Some(gateway.clone());
        self.gone_at = None;
        self.tell_partner_at = None;
        if self.state == State::Gone {
            self.state = State::Idle;
            self.erased_at = None;
        }
        Ok(true)
    }

    /// Said before the newest connection was, and told after it: a gateway or a NATS server hung meanwhile, and
    /// whoever made this connection has given it up.
    fn is_overtaken(&self, stamp: Stamp) -> bool {
        let hung = stamp.taken_at.saturating_sub(stamp.said_at) > ms(CLOCKS_AGREE);
        hung && stamp.said_at < self.said_at
    }

    /// By its present name, or by the one that it had before it was reasserted.
    fn is_newest(&self, epoch: u64) -> bool {
        epoch != 0 && (epoch == self.epoch || epoch == self.reasserted)
    }

    /// A socket is gone. Harms no newer one.
    pub(crate) fn disconnect(&mut self, gone: Gone) -> Changed {
        let newer = gone.epoch > self.epoch;
        if !newer && !self.is_newest(gone.epoch) {
            return false;
        }
        // The one that is there goes by its own name only: nobody can tell yet whether this one would have replaced it.
        if newer && self.connected {
            let noted = !self.gone_unheard.contains(&gone.epoch);
            if noted {
                self.gone_unheard.push(gone.epoch);
            }
            return noted;
        }
        let noted = gone.sequence > self.let_go;
        self.let_go = self.let_go.max(gone.sequence);
        if !newer && !self.connected {
            return noted;
        }
        // Also before its connect has come, which finds its own epoch gone.
        self.epoch = self.epoch.max(gone.epoch);
        self.connected = false;
        self.gateway = None;
        self.gone_at = Some(gone.now);
        // One that was never sent anything has not made anything unseen.
        self.seen = self.seen.max(gone.seen.unwrap_or(0));
        match self.state {
            State::Idle | State::Gone => self.erase(gone.now),
            State::Waiting => {}
            State::Paired => {
                self.tell_partner_at = gone.partner_hears_at;
                self.partner_told |= gone.partner_hears_at.is_none();
            }
        }
        true
    }

    /// The time to tell the partner of the lost connection has come.
    pub(crate) fn partner_hears(&mut self, now: i64) -> Changed {
        let due = self.tell_partner_at.is_some_and(|at| at <= now);
        if due {
            self.tell_partner_at = None;
            self.partner_told = true;
        }
        due
    }

    /// To their partner: a drained connection seems to be there, until its grace is over.
    pub(crate) fn seems_connected(&self) -> bool {
        self.connected || !self.partner_told
    }

    /// The partner knows that they are back.
    pub(crate) fn partner_relieved(&mut self) -> Changed {
        let back = self.connected && self.partner_told;
        self.partner_told &= !back;
        back
    }

    /// Has been without a connection since then or longer.
    pub(crate) fn is_away_since(&self, then: i64) -> bool {
        !self.connected && self.gone_at.is_some_and(|at| at <= then)
    }
}
