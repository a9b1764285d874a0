//! What came of a run: violations, how often each promise was put to the test, and what happened.

use std::{collections::BTreeMap, fmt};

use crate::{
    checker::{Coverage, Violation},
    history::{Entry, Event},
    observe::change::{Change, Fact},
};

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// Broken promises, and those that were never put to the test.
    pub violations: Vec<Violation>,
    /// How often each was put to the test.
    pub coverage: Coverage,
    pub(crate) seed: u64,
    pub(crate) entries: Vec<Entry>,
    pub(crate) facts: Vec<Fact>,
}

impl Report {
    /// All that clients recorded and the witness saw, one event a line.
    #[must_use]
    pub fn history_as_text(&self) -> String {
        let mut lines: Vec<(i64, String)> = self.entries.iter().map(|e| (e.at, format!("{} {e}", e.who))).collect();
        lines.extend(self.facts.iter().map(|fact| (fact.at, format!("MongoDB {} {:?}", fact.at, fact.what))));
        lines.sort_by_key(|(at, _)| *at);
        lines.into_iter().map(|(_, line)| line + "\n").collect()
    }

    fn count(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.entries.iter().filter(|entry| which(&entry.what)).count()
    }

    fn faults(&self) -> String {
        let mut faults: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| matches!(entry.what, Event::FaultStarted { .. })) {
            *faults.entry(&entry.who).or_default() += 1;
        }
        faults.into_iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    }

    fn orphans(&self) -> u64 {
        let counts = self.entries.iter().filter_map(|entry| match entry.what {
            Event::OrphansRemoved { count } => Some(count),
            _ => None,
        });
        counts.sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.violations.iter().try_for_each(|violation| writeln!(formatter, "{violation}"))?;
        let rooms = self.facts.iter().filter(|fact| matches!(fact.what, Change::RoomOpened { .. })).count();
        writeln!(formatter, "faults: {}", self.faults())?;
        writeln!(formatter, "judged: {}", self.coverage)?;
        write!(
            formatter,
            "seed {}: {} violations; {rooms} rooms, {} messages acknowledged, {} refused, {} received, {} connections, \
             {} of legacy clients, {} closed by a gateway, {} silent, {} orphans removed",
            self.seed,
            self.violations.len(),
            self.count(|event| matches!(event, Event::Acknowledged { .. })),
            self.count(|event| matches!(event, Event::Refused { .. })),
            self.count(|event| matches!(event, Event::Received { .. })),
            self.count(|event| matches!(event, Event::Connected { .. })),
            self.count(|event| matches!(event, Event::Connected { legacy: true, .. })),
            self.count(|event| matches!(event, Event::Disconnected { by_client: false, .. })),
            self.count(|event| matches!(event, Event::Silenced { .. })),
            self.orphans(),
        )
    }
}
