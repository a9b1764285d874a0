//! Which gateways are dead: a lease that has been missing for the whole grace, as far as looks
//! that followed closely on one another can tell. `sweep` looks and takes the consequences.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// The most that the time since the last look counts: this process or NATS may have stood
/// still, and the gateways may have had no way to renew.
const LOOK: Duration = Duration::from_secs(2);

/// After an outage gateways say within this time who is connected to them: they have a connection within 1 s, and
/// look again when they renew their lease, every 2 s.
const SETTLE: Duration = Duration::from_secs(4);

/// What the looks until now have found.
pub(crate) struct Gateways {
    grace: Duration,
    missing: BTreeMap<String, Duration>,
    last_look: Option<Instant>,
    /// Since when no look has failed.
    looking_since: Option<Instant>,
}

impl Gateways {
    pub(crate) fn new(grace: Duration) -> Self {
        Self { grace, missing: BTreeMap::new(), last_look: None, looking_since: None }
    }

    /// A look failed, or another matcher looked in between: nobody knows who lives, so that everybody's grace begins
    /// anew.
    pub(crate) fn forget(&mut self) {
        self.missing.clear();
        self.last_look = None;
        self.looking_since = None;
    }

    /// Whether gateways had the time to say who is connected to them, so that whoever is not can be removed.
    pub(crate) fn settled(&self, now: Instant) -> bool {
        self.looking_since.is_some_and(|since| now - since >= SETTLE)
    }

    /// Takes in a look: of those in use, which have been missing for the grace?
    pub(crate) fn dead(&mut self, now: Instant, in_use: Vec<String>, alive: &BTreeSet<String>) -> Vec<String> {
        let passed = self.last_look.map_or(Duration::ZERO, |last| (now - last).min(LOOK));
        self.last_look = Some(now);
        self.looking_since.get_or_insert(now);
        let before = std::mem::take(&mut self.missing);
        let missing = in_use.into_iter().filter(|gateway| !alive.contains(gateway));
        let missing_for = |gateway: &String| before.get(gateway).map_or(Duration::ZERO, |before| *before + passed);
        self.missing = missing.map(|gateway| (gateway.clone(), missing_for(&gateway))).collect();
        let dead = self.missing.iter().filter(|(_, missing_for)| **missing_for >= self.grace);
        dead.map(|(gateway, _)| gateway.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(6);

    /// Looks once a second for gateway `a`; `true` where its lease was there.
    fn looks(gateways: &mut Gateways, start: Instant, from: u64, found: &[bool]) -> Vec<bool> {
        let look = |(n, alive): (u64, &bool)| {
            let alive = if *alive { BTreeSet::from(["a".to_owned()]) } else { BTreeSet::new() };
            !gateways.dead(start + Duration::from_secs(n), vec!["a".to_owned()], &alive).is_empty()
        };
        (from..).zip(found).map(look).collect()
    }

    #[test]
    fn a_gateway_is_dead_once_its_lease_was_missing_for_the_grace() {
        let found = looks(
            &mut Gateways::new(GRACE),
            Instant::now(),
            0,
            &[true, false, false, false, false, false, false, false],
        );
        assert_eq!(found, [false, false, false, false, false, false, false, true]);
    }

    #[test]
    fn a_gateway_that_renews_in_between_lives() {
        let found = looks(
            &mut Gateways::new(GRACE),
            Instant::now(),
            0,
            &[false, false, false, false, true, false, false, false],
        );
        assert!(found.iter().all(|dead| !dead));
    }

    #[test]
    fn after_a_failed_look_the_grace_begins_anew() {
        let (mut gateways, start) = (Gateways::new(GRACE), Instant::now());
        looks(&mut gateways, start, 0, &[false; 5]);
        gateways.forget();
        assert_eq!(looks(&mut gateways, start, 6, &[false; 3]), [false; 3]);
    }

    #[test]
    fn after_the_start_and_after_a_failed_look_gateways_have_time_to_say_who_is_connected() {
        let (mut gateways, start) = (Gateways::new(GRACE), Instant::now());
        let mut settled = |from, looks_: u64| {
            (from..from + looks_)
                .map(|n| {
                    looks(&mut gateways, start, n, &[true]);
                    gateways.settled(start + Duration::from_secs(n))
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(settled(0, 6), [false, false, false, false, true, true]);
        gateways.forget();
        assert!(!gateways.settled(start + Duration::from_secs(7)));
        looks(&mut gateways, start, 8, &[true; 4]);
        assert!(!gateways.settled(start + Duration::from_secs(11)));
        looks(&mut gateways, start, 12, &[true]);
        assert!(gateways.settled(start + Duration::from_secs(12)));
    }

    #[test]
    fn a_standstill_counts_little() {
        let (mut gateways, start) = (Gateways::new(GRACE), Instant::now());
        looks(&mut gateways, start, 0, &[true, false]);
        assert_eq!(looks(&mut gateways, start, 20, &[false; 5]), [false, false, false, false, true]);
    }
}
