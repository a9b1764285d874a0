//! Presence of one user: the register of their newest connection, and every decision that follows from it, from the
//! leases of the gateways, and from time. Pure; `matcher/README.md` has the states and timers on one page.

use crate::domain::{leases::Lapses, ms};
use proto::{ConnectionStamp, ConnectionState, Register};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// True if there is something to write.
pub(crate) type Changed = bool;

/// A part of a user's document. Times are in milliseconds since 1970, by the clock of MongoDB's primary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Presence {
    /// The newest connection that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connection: Option<Register>,
    /// The last room sequence that certainly reached an earlier connection.
    #[serde(default)]
    delivered_seq: u64,
    /// Without an open connection since then; none while the register is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disconnected_at: Option<i64>,
    /// The partner was notified that the connection is lost, and not yet that it is back.
    #[serde(default)]
    partner_notified: bool,
}

/// A connection that is closed.
#[derive(Clone, Debug)]
pub(crate) struct Close {
    pub(crate) stamp: ConnectionStamp,
    pub(crate) state: ConnectionState,
    /// The last room sequence that certainly reached it; 0 when nobody knows.
    pub(crate) delivered_seq: u64,
    pub(crate) now: i64,
}

/// The time-outs that the decisions below read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// How long a user may be without a connection.
    pub(crate) resume_window: Duration,
    /// How long the partner is not notified of a drained connection.
    pub(crate) drain_grace: Duration,
}

impl Presence {
    /// A connection speaks for the user. Changes nothing if a newer one, or its own close, is known.
    pub(crate) fn open(&mut self, stamp: &ConnectionStamp) -> Changed {
        let changed = Register::merge(&mut self.connection, Register::open(stamp.clone()));
        if changed {
            self.disconnected_at = None;
        }
        changed
    }

    /// A connection is closed. Changes nothing if a newer one is known.
    pub(crate) fn close(&mut self, close: &Close) -> Changed {
        let was_closed = self.connection.as_ref().is_some_and(|now| now.stamp == close.stamp && !now.is_open());
        let closed = Register { stamp: close.stamp.clone(), state: close.state };
        let changed = Register::merge(&mut self.connection, closed);
        if changed {
            self.delivered_seq = self.delivered_seq.max(close.delivered_seq);
            if !was_closed {
                self.disconnected_at = Some(close.now);
            }
        }
        changed
    }

    /// The user needs a connection from now on, and has the resume window to open one.
    pub(crate) fn expect_connection(&mut self, now: i64) {
        if !self.register_is_open() {
            self.disconnected_at = Some(now);
        }
    }

    /// What is left after the end of a room: the register, so that late commands change nothing.
    pub(crate) fn reset(&mut self) {
        *self = Self { connection: self.connection.take(), ..Self::default() };
    }

    /// The partner is a new one, who knows nothing of this user's connection yet.
    pub(crate) fn forget_partner(&mut self) {
        self.partner_notified = false;
    }

    /// The partner was notified whether this user is connected.
    pub(crate) fn note_partner(&mut self, connected: bool) -> Changed {
        std::mem::replace(&mut self.partner_notified, !connected) == connected
    }

    /// The newest connection that is known.
    pub(crate) fn connection(&self) -> Option<&Register> {
        self.connection.as_ref()
    }

    /// The last room sequence that certainly reached an earlier connection.
    pub(crate) fn delivered_seq(&self) -> u64 {
        self.delivered_seq
    }

    /// What the partner was last notified of.
    pub(crate) fn shown_connected(&self) -> bool {
        !self.partner_notified
    }

    /// The register, if it has moved past a connection that was open, whose session has to know.
    pub(crate) fn superseding(before: &Self, after: &Self) -> Option<Register> {
        let older = before.connection.as_ref().filter(|older| older.is_open())?;
        after.connection.clone().filter(|newer| newer.stamp > older.stamp)
    }

    /// Whether the user may be offered as a partner: the register is open, and the gateway's lease has not lapsed.
    pub(crate) fn is_connected(&self, lapses: &Lapses) -> bool {
        self.register_is_open() && self.lapsed_for(lapses).is_none()
    }

    /// What the partner has to be notified of now: connected or not. None if the partner knows.
    pub(crate) fn partner_update(&self, lapses: &Lapses, now: i64, timeouts: Timeouts) -> Option<bool> {
        let connected = match &self.connection {
            Some(register) if register.state == ConnectionState::Drained => {
                !self.disconnected_for(now, timeouts.drain_grace)
            }
            _ => self.is_connected(lapses),
        };
        (connected != self.shown_connected()).then_some(connected)
    }

    /// Whether the user has been without a connection for the whole resume window.
    pub(crate) fn is_gone(&self, lapses: &Lapses, now: i64, timeouts: Timeouts) -> bool {
        match self.register_is_open() {
            true => self.lapsed_for(lapses).is_some_and(|lapsed| lapsed >= timeouts.resume_window),
            false => self.disconnected_for(now, timeouts.resume_window),
        }
    }

    fn register_is_open(&self) -> bool {
        self.connection.as_ref().is_some_and(Register::is_open)
    }

    fn lapsed_for(&self, lapses: &Lapses) -> Option<Duration> {
        lapses.lapsed_for(&self.connection.as_ref()?.stamp.gateway)
    }

    fn disconnected_for(&self, now: i64, time: Duration) -> bool {
        self.disconnected_at.is_some_and(|since| since.saturating_add(ms(time)) <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tests::{LATER, NOW, TIMEOUTS, stamp};

    fn close(counter: u64, state: ConnectionState) -> Close {
        Close { stamp: stamp(counter), state, delivered_seq: 3, now: NOW }
    }

    fn open(counter: u64) -> Presence {
        let mut presence = Presence::default();
        assert!(presence.open(&stamp(counter)));
        presence
    }

    #[test]
    fn a_late_close_of_an_older_connection_changes_nothing() {
        let mut presence = open(7);
        assert!(!presence.close(&close(5, ConnectionState::Lost)));
        assert!(presence.is_connected(&Lapses::default()));
    }

    #[test]
    fn an_open_that_comes_after_its_own_close_changes_nothing() {
        let mut presence = Presence::default();
        assert!(presence.close(&close(5, ConnectionState::Lost)));
        assert!(!presence.open(&stamp(5)));
        assert!(!presence.is_connected(&Lapses::default()));
        assert!(presence.open(&stamp(6)), "a newer one counts");
    }

    #[test]
    fn a_newer_connection_supersedes_an_older_open_one_also_when_only_its_close_arrives() {
        let before = open(5);
        for newer in
            [|p: &mut Presence| p.open(&stamp(7)), |p: &mut Presence| p.close(&close(7, ConnectionState::Lost))]
        {
            let mut after = before.clone();
            assert!(newer(&mut after));
            assert_eq!(Presence::superseding(&before, &after).map(|newer| newer.stamp), Some(stamp(7)));
            assert_eq!(Presence::superseding(&after, &after), None);
        }
        let mut closed = open(5);
        closed.close(&close(5, ConnectionState::Lost));
        assert_eq!(Presence::superseding(&closed, &open(7)), None, "nobody is left to be closed");
    }

    #[test]
    fn a_lease_that_lapsed_disconnects_without_a_write_and_connects_again_when_it_is_back() {
        let presence = open(5);
        let lapsed = Lapses::of(&[("gateway-1", Duration::from_secs(1))]);
        assert!(!presence.is_connected(&lapsed));
        assert_eq!(presence.partner_update(&lapsed, NOW, TIMEOUTS), Some(false));
        let mut notified = presence.clone();
        notified.note_partner(false);
        assert_eq!(notified.partner_update(&lapsed, NOW, TIMEOUTS), None);
        assert_eq!(notified.partner_update(&Lapses::default(), NOW, TIMEOUTS), Some(true));
        assert!(presence.is_connected(&Lapses::of(&[("gateway-2", Duration::from_secs(1))])), "another gateway");
    }

    #[test]
    fn a_lapsed_gateways_users_are_gone_after_the_resume_window_and_not_before() {
        let presence = open(5);
        for (lapsed, gone) in [(29, false), (30, true)] {
            let lapses = Lapses::of(&[("gateway-1", Duration::from_secs(lapsed))]);
            assert_eq!(presence.is_gone(&lapses, LATER, TIMEOUTS), gone, "{lapsed} s");
        }
        assert!(!presence.is_gone(&Lapses::default(), LATER, TIMEOUTS));
    }

    #[test]
    fn a_closed_connection_is_gone_after_the_resume_window_and_a_drained_one_is_shown_after_its_grace() {
        let lapses = Lapses::default();
        for (state, after_ms, update, gone) in [
            (ConnectionState::Lost, 0, Some(false), false),
            (ConnectionState::Drained, 0, None, false),
            (ConnectionState::Drained, 4_999, None, false),
            (ConnectionState::Drained, 5_000, Some(false), false),
            (ConnectionState::Lost, 29_999, Some(false), false),
            (ConnectionState::Lost, 30_000, Some(false), true),
            (ConnectionState::Drained, 30_000, Some(false), true),
        ] {
            let mut presence = open(5);
            presence.close(&close(5, state));
            let now = NOW + after_ms;
            assert_eq!(presence.partner_update(&lapses, now, TIMEOUTS), update, "{state:?} after {after_ms} ms");
            assert_eq!(presence.is_gone(&lapses, now, TIMEOUTS), gone, "{state:?} after {after_ms} ms");
        }
    }

    #[test]
    fn a_drained_connection_that_turns_out_lost_is_gone_since_it_was_drained() {
        let mut presence = open(5);
        presence.close(&close(5, ConnectionState::Drained));
        presence.close(&Close { now: NOW + 20_000, ..close(5, ConnectionState::Lost) });
        assert!(presence.is_gone(&Lapses::default(), NOW + 30_000, TIMEOUTS));
    }

    #[test]
    fn a_user_who_never_had_a_connection_has_the_resume_window_for_it() {
        let mut presence = Presence::default();
        presence.expect_connection(NOW);
        assert!(!presence.is_connected(&Lapses::default()));
        assert!(!presence.is_gone(&Lapses::default(), NOW + 29_999, TIMEOUTS));
        assert!(presence.is_gone(&Lapses::default(), NOW + 30_000, TIMEOUTS));
        presence.open(&stamp(1));
        assert!(!presence.is_gone(&Lapses::default(), LATER, TIMEOUTS));
    }
}
