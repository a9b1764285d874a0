//! The checker: a history and what MongoDB and the streams held, against the promises. Pure, so that each
//! invariant is tested with a history that breaks it.

use std::fmt;

use crate::{
    history::{Entry, Event, Ms},
    known::Known,
    messages, rooms,
    witness::{Change, Fact},
};

/// How many events before and after a violation are shown.
const BEFORE: usize = 25;
const AFTER: usize = 5;

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Which invariant.
    pub invariant: &'static str,
    /// What is wrong, in a sentence.
    pub what: String,
    /// What happened around it to those whom it concerns.
    pub around: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "VIOLATION of {}: {}", self.invariant, self.what)?;
        self.around.iter().try_for_each(|line| writeln!(formatter, "    {line}"))
    }
}

/// All violations. `left` is what was found after everybody had gone.
#[must_use]
pub fn check(entries: &[Entry], facts: &[Fact], left: &[String]) -> Vec<Violation> {
    let known = Known::of(entries, facts);
    let mut violations = Vec::new();
    rooms::check(&known, &mut violations);
    messages::check(&known, &mut violations);
    violations.extend(left.iter().map(|left| Violation {
        invariant: "nothing is left",
        what: left.clone(),
        around: Vec::new(),
    }));
    violations
}

/// A violation, with what happened around this time to these users and rooms.
pub(crate) fn violation(known: &Known<'_>, invariant: &'static str, at: Ms, whom: &[&str], what: String) -> Violation {
    let concerns = |entry: &&Entry| {
        let fault = matches!(entry.what, Event::FaultBegan | Event::FaultOver);
        fault || whom.contains(&entry.who.as_str())
    };
    let mut lines: Vec<(Ms, String)> =
        known.entries.iter().filter(concerns).map(|entry| (entry.at, entry.to_string())).collect();
    let of_rooms = known.facts.iter().filter(|fact| whom.iter().any(|whom| names(&fact.what, whom)));
    lines.extend(of_rooms.map(|fact| (fact.at, in_mongodb(fact))));
    lines.sort_by_key(|(at, _)| *at);
    let place = lines.partition_point(|(line, _)| *line <= at);
    let shown = &lines[place.saturating_sub(BEFORE)..(place + AFTER).min(lines.len())];
    Violation { invariant, what, around: shown.iter().map(|(_, line)| line.clone()).collect() }
}

fn in_mongodb(fact: &Fact) -> String {
    format!("{:>8}.{:03} MongoDB  {:?}", fact.at / 1000 % 100_000, fact.at % 1000, fact.what)
}

fn names(change: &Change, whom: &str) -> bool {
    match change {
        Change::Opened { room, members } => room == whom || members.iter().any(|(user, _)| user == whom),
        Change::Closed { room } | Change::Gone { room } => room == whom,
        Change::Stored { room, author, .. } => room == whom || author == whom,
        Change::Erased { .. } => false,
    }
}
