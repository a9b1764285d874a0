//! How often each promise was put to the test: a rule that never had anything to judge proves nothing.

use std::{collections::BTreeMap, fmt};

use super::evidence::disturbance::Disturbances;
use crate::{
    history::{Entry, Ms},
    observe::machine::MACHINE,
};

/// What a run has to have put to the test at least once, whatever its faults are.
pub const ALWAYS: [&str; 22] = [
    "one open room",
    "both notified",
    "acknowledged is queued",
    "acknowledged is stored",
    "acknowledged is liked",
    "stored once",
    "received by the partner",
    "received once",
    "no gap",
    "one order",
    "back in the room",
    "the newest connection wins",
    "no false loss",
    "no ghost matched",
    "no ghost stays",
    "who left is gone",
    "one leaves at the match",
    "both leave at the match, in talk",
    "both leave at the match, one of each",
    "nobody left alone",
    "ends for a reason",
    "erased at the end",
];

/// What a run has to have put to the test while each of its faults lasted, or the recovery from it.
const UNDER_EACH_FAULT: [&str; 5] = ["acknowledged is stored", "stored once", "received once", "no gap", "one order"];

/// When each promise was put to the test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage(BTreeMap<&'static str, Vec<Ms>>);

impl Coverage {
    /// A promise was put to the test at this time.
    pub(crate) fn judged(&mut self, what: &'static str, at: Ms) {
        self.0.entry(what).or_default().push(at);
    }

    /// How often.
    #[must_use]
    pub fn of(&self, what: &str) -> usize {
        self.0.get(what).map_or(0, Vec::len)
    }

    /// What was never put to the test while a fault of the history lasted, or the recovery from it; each with the fault's
    /// name.
    #[must_use]
    pub fn missing(&self, entries: &[Entry]) -> Vec<(&'static str, String)> {
        let faults = Disturbances::of(entries, Ms::MAX / 2);
        let during = |fault: &str, at: &Ms| {
            let mut same = faults.all().iter().filter(|other| other.fault == fault);
            same.any(|fault| (fault.started..=fault.recovered()).contains(at))
        };
        let mut names: Vec<&str> =
            faults.all().iter().map(|fault| fault.fault).filter(|name| *name != MACHINE).collect();
        names.sort_unstable();
        names.dedup();
        let each = names.iter().flat_map(|fault| UNDER_EACH_FAULT.map(|what| (what, *fault)));
        let never = |(what, fault): &(&str, &str)| !self.0.get(what).into_iter().flatten().any(|at| during(fault, at));
        each.filter(never).map(|(what, fault)| (what, fault.to_owned())).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.0.iter().map(|(what, count)| format!("{what} {}", count.len())).collect();
        formatter.write_str(&counts.join(", "))
    }
}
