//! What the checker finds: broken promises with the events around them, and how often each promise was put to the test.

use std::fmt;

use super::{coverage::Coverage, evidence::Evidence};
use crate::{
    history::Ms,
    observe::change::{Change, Fact},
};

/// How many events before and after a violation are shown.
const BEFORE: usize = 25;
const AFTER: usize = 5;

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which promise.
    pub promise: &'static str,
    /// What is wrong, in a sentence.
    pub what: String,
    /// The events of those whom it concerns, around it.
    pub around: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "VIOLATION of {}: {}", self.promise, self.what)?;
        self.around.iter().try_for_each(|line| writeln!(formatter, "    {line}"))
    }
}

/// The result of checking a history.
#[derive(Debug, Default)]
pub struct Findings {
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// How often each promise was put to the test.
    pub coverage: Coverage,
}

impl Findings {
    /// A promise was put to the test at this time.
    pub(crate) fn judged(&mut self, what: &'static str, at: Ms) {
        self.coverage.judged(what, at);
    }

    /// A promise was broken at this time; it concerns these users and rooms.
    pub(crate) fn broken(
        &mut self,
        evidence: &Evidence<'_>,
        promise: &'static str,
        at: Ms,
        concerned: &[&str],
        what: impl Into<String>,
    ) {
        self.violations.push(Violation { promise, what: what.into(), around: around(evidence, at, concerned) });
    }
}

/// The events around this time that concern these users and rooms.
fn around(evidence: &Evidence<'_>, at: Ms, concerned: &[&str]) -> Vec<String> {
    let entries =
        evidence.entries.iter().filter(|entry| entry.what.is_of_system() || concerned.contains(&entry.who.as_str()));
    let mut lines: Vec<(Ms, String)> = entries.map(|entry| (entry.at, entry.to_string())).collect();
    let facts = evidence.facts.iter().filter(|fact| concerned.iter().any(|one| concerns(&fact.what, one)));
    lines.extend(facts.map(|fact| (fact.at, in_mongodb(fact))));
    lines.sort_by_key(|(at, _)| *at);
    let place = lines.partition_point(|(line, _)| *line <= at);
    let shown = &lines[place.saturating_sub(BEFORE)..(place + AFTER).min(lines.len())];
    shown.iter().map(|(_, line)| line.clone()).collect()
}

fn in_mongodb(fact: &Fact) -> String {
    format!("{:>8}.{:03} MongoDB  {:?}", fact.at / 1000 % 100_000, fact.at % 1000, fact.what)
}

fn concerns(change: &Change, one: &str) -> bool {
    match change {
        Change::RoomOpened { room, members } => room == one || members.iter().any(|(user, _)| user == one),
        Change::RoomAnnounced { room } | Change::RoomStarted { room } => room == one,
        Change::RoomClosed { room } | Change::RoomDeleted { room } => room == one,
        Change::MessageStored { room, author, .. } => room == one || author == one,
        Change::UserChanged { user, .. } | Change::UserDeleted { user } => user == one,
        Change::MessageLiked { .. } | Change::MessageErased { .. } => false,
    }
}
