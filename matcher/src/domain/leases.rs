//! Which gateways' leases have lapsed: missing for the whole grace, as far as polls that followed closely on one another
//! can tell. A standstill of this process or of NATS is no lapse.

use proto::{GatewayId, timing};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// The most that the time since the last poll counts: this process or NATS may have stood still, and the gateways may
/// have been unable to renew.
const LONGEST_STEP: Duration = Duration::from_secs(2);

/// What is known of the leases. By default: nothing, which disconnects nobody, and lets nobody be offered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lapses {
    known: bool,
    lapsed: BTreeMap<GatewayId, Duration>,
    /// Without a lease in the last poll, and never seen with one: dead, or not back yet after an outage.
    doubtful: BTreeSet<GatewayId>,
    settled: bool,
}

impl Lapses {
    /// How long ago the lease of a gateway lapsed; none while it is alive.
    pub(crate) fn lapsed_for(&self, gateway: &GatewayId) -> Option<Duration> {
        self.lapsed.get(gateway).copied()
    }

    /// Whether the leases could be read.
    pub(crate) fn known(&self) -> bool {
        self.known
    }

    /// Whether users of a gateway may be offered: only those whose gateway is known to be alive. While NATS is unavailable
    /// nobody is, or those of a gateway that died before would be.
    pub(crate) fn may_be_offered(&self, gateway: &GatewayId) -> bool {
        self.known && !self.lapsed.contains_key(gateway) && !self.doubtful.contains(gateway)
    }

    /// The gateways whose leases have lapsed.
    pub(crate) fn gateways(&self) -> impl Iterator<Item = &GatewayId> {
        self.lapsed.keys()
    }

    /// Whether gateways have had the time to publish what waited during an outage, so that whoever is still without a
    /// connection can be removed.
    pub(crate) fn settled(&self) -> bool {
        self.settled
    }

    #[cfg(test)]
    pub(crate) fn of(lapsed: &[(&str, Duration)]) -> Self {
        let lapsed = lapsed.iter().map(|(gateway, time)| (gateway.parse().expect("an id"), *time)).collect();
        Self { known: true, lapsed, settled: true, ..Self::default() }
    }
}

/// The polls until now.
pub(crate) struct LeaseMonitor {
    grace: Duration,
    missing: BTreeMap<GatewayId, Duration>,
    seen_alive: BTreeSet<GatewayId>,
    last_poll: Option<Instant>,
    /// Since when no poll has failed.
    polling_since: Option<Instant>,
}

impl LeaseMonitor {
    pub(crate) fn new(grace: Duration) -> Self {
        Self { grace, missing: BTreeMap::new(), seen_alive: BTreeSet::new(), last_poll: None, polling_since: None }
    }

    /// A poll failed, or another matcher was the leader meanwhile: which leases are alive is unknown, so that every grace
    /// starts again.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.grace);
    }

    /// Takes in a poll: which of the gateways in use have a lease.
    pub(crate) fn observe(&mut self, now: Instant, in_use: Vec<GatewayId>, alive: &BTreeSet<GatewayId>) -> Lapses {
        let passed = self.last_poll.map_or(Duration::ZERO, |last| (now - last).min(LONGEST_STEP));
        self.last_poll = Some(now);
        let polling_since = *self.polling_since.get_or_insert(now);
        let before = std::mem::take(&mut self.missing);
        let missing = in_use.into_iter().filter(|gateway| !alive.contains(gateway));
        let missing_for = |gateway: &GatewayId| before.get(gateway).map_or(Duration::ZERO, |before| *before + passed);
        self.missing = missing.map(|gateway| (gateway.clone(), missing_for(&gateway))).collect();
        let lapsed = self
            .missing
            .iter()
            .filter_map(|(gateway, missing)| Some((gateway.clone(), missing.checked_sub(self.grace)?)));
        let lapsed = lapsed.collect();
        self.seen_alive.retain(|gateway| alive.contains(gateway) || self.missing.contains_key(gateway));
        self.seen_alive.extend(alive.iter().cloned());
        let doubtful = self.missing.keys().filter(|gateway| !self.seen_alive.contains(*gateway)).cloned().collect();
        Lapses { known: true, lapsed, doubtful, settled: now - polling_since >= timing::OUTAGE_SETTLE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(3);

    fn gateway() -> GatewayId {
        "a".parse().expect("an id")
    }

    /// Polls once a second for gateway `a`; `true` where its lease was there. For how many seconds it has lapsed.
    fn polls(monitor: &mut LeaseMonitor, start: Instant, from: u64, found: &[bool]) -> Vec<Option<u64>> {
        let poll = |(n, alive): (u64, &bool)| {
            let alive = if *alive { BTreeSet::from([gateway()]) } else { BTreeSet::new() };
            let lapses = monitor.observe(start + Duration::from_secs(n), vec![gateway()], &alive);
            lapses.lapsed_for(&gateway()).map(|lapsed| lapsed.as_secs())
        };
        (from..).zip(found).map(poll).collect()
    }

    #[test]
    fn a_lease_has_lapsed_once_it_was_missing_for_the_grace() {
        let found = polls(&mut LeaseMonitor::new(GRACE), Instant::now(), 0, &[true, false, false, false, false, false]);
        assert_eq!(found, [None, None, None, None, Some(0), Some(1)]);
    }

    #[test]
    fn a_lease_that_is_back_is_alive_at_once() {
        let found = polls(&mut LeaseMonitor::new(GRACE), Instant::now(), 0, &[false, false, false, false, true, false]);
        assert_eq!(found, [None, None, None, Some(0), None, None]);
    }

    #[test]
    fn after_a_failed_poll_the_grace_starts_again() {
        let (mut monitor, start) = (LeaseMonitor::new(GRACE), Instant::now());
        polls(&mut monitor, start, 0, &[false; 5]);
        monitor.reset();
        assert_eq!(polls(&mut monitor, start, 6, &[false; 3]), [None; 3]);
    }

    #[test]
    fn nobody_is_offered_whose_gateway_is_not_known_to_be_alive() {
        let (mut monitor, start) = (LeaseMonitor::new(GRACE), Instant::now());
        let mut offered = |n, alive: bool| {
            let alive = if alive { BTreeSet::from([gateway()]) } else { BTreeSet::new() };
            let lapses = monitor.observe(start + Duration::from_secs(n), vec![gateway()], &alive);
            lapses.may_be_offered(&gateway())
        };
        assert!(!Lapses::default().may_be_offered(&gateway()), "before the first poll, and when one failed");
        let polls = [(0, false), (1, true), (2, false), (3, false), (4, false), (5, false)];
        assert_eq!(polls.map(|(n, alive)| offered(n, alive)), [false, true, true, true, true, false]);
        monitor.reset();
        let dead = monitor.observe(start + Duration::from_secs(6), vec![gateway()], &BTreeSet::new());
        assert!(!dead.may_be_offered(&gateway()), "after an outage, although its grace starts again");
        assert_eq!(dead.lapsed_for(&gateway()), None, "and nobody is disconnected yet");
    }

    #[test]
    fn a_standstill_counts_little() {
        let (mut monitor, start) = (LeaseMonitor::new(GRACE), Instant::now());
        polls(&mut monitor, start, 0, &[true, false]);
        assert_eq!(polls(&mut monitor, start, 20, &[false, false]), [None, Some(0)]);
    }

    #[test]
    fn nobody_is_removed_before_gateways_had_time_to_publish_what_waited() {
        let (mut monitor, start) = (LeaseMonitor::new(GRACE), Instant::now());
        let mut settled = |n| monitor.observe(start + Duration::from_secs(n), Vec::new(), &BTreeSet::new()).settled();
        assert_eq!([0, 1, 3, 4, 5].map(&mut settled), [false, false, false, true, true]);
        monitor.reset();
        assert!(!monitor.observe(start + Duration::from_secs(6), Vec::new(), &BTreeSet::new()).settled());
    }
}
