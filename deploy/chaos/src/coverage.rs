//! How often a promise could have been broken, and been seen: a check that never had anything to judge says nothing.

use std::{collections::BTreeMap, fmt};

/// What a run has to have judged at least once, whatever its faults are.
pub const ALWAYS: [&str; 12] = [
    "one open room",
    "both told",
    "acknowledged is kept",
    "stored once",
    "received by the partner",
    "received once",
    "no gap",
    "one order",
    "back in the room",
    "no ghost offered",
    "nobody left alone",
    "erased at the end",
];

/// Counts, by what was judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage(BTreeMap<&'static str, usize>);

impl Coverage {
    /// One more could have been seen to be broken.
    pub fn judged(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    /// How many.
    #[must_use]
    pub fn of(&self, what: &str) -> usize {
        self.0.get(what).copied().unwrap_or(0)
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.0.iter().map(|(what, count)| format!("{what} {count}")).collect();
        formatter.write_str(&counts.join(", "))
    }
}
