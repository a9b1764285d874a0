//! The checker: a history and what MongoDB and the streams held, against the promises. Pure, so that each
//! invariant is tested with a history that breaks it.

use std::fmt;

use crate::{
    coverage::Coverage,
    endings, ghosts,
    history::{Entry, Event, Ms},
    known::Known,
    messages, places, returns, rooms, waits,
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

/// What came of looking at a history.
#[derive(Debug, Default)]
pub struct Findings {
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// How often each promise could have been seen to be broken.
    pub coverage: Coverage,
}

impl Findings {
    pub(crate) fn judged(&mut self, what: &'static str, at: Ms) {
        self.coverage.judged(what, at);
    }

    /// A violation at this time that concerns these users and rooms.
    pub(crate) fn broken(
        &mut self,
        known: &Known<'_>,
        invariant: &'static str,
        at: Ms,
        whom: &[&str],
        what: impl Into<String>,
    ) {
        self.violations.push(Violation { invariant, what: what.into(), around: around(known, at, whom) });
    }
}

/// Looks for violations. `left` is what was found after everybody had gone.
#[must_use]
pub fn check(entries: &[Entry], facts: &[Fact], left: &[String]) -> Findings {
    let known = Known::of(entries, facts);
    let mut found = Findings::default();
    rooms::check(&known, &mut found);
    ghosts::check(&known, &mut found);
    waits::check(&known, &mut found);
    returns::check(&known, &mut found);
    endings::check(&known, &mut found);
    places::check(&known, &mut found);
    messages::check(&known, &mut found);
    found.violations.extend(left.iter().map(|left| Violation {
        invariant: "nothing is left",
        what: left.clone(),
        around: Vec::new(),
    }));
    found
}

/// What happened around this time to these users and rooms.
fn around(known: &Known<'_>, at: Ms, whom: &[&str]) -> Vec<String> {
    let concerns = |entry: &&Entry| {
        let fault = matches!(entry.what, Event::FaultBegan { .. } | Event::FaultOver);
        fault || whom.contains(&entry.who.as_str())
    };
    let mut lines: Vec<(Ms, String)> =
        known.entries.iter().filter(concerns).map(|entry| (entry.at, entry.to_string())).collect();
    let of_rooms = known.facts.iter().filter(|fact| whom.iter().any(|whom| names(&fact.what, whom)));
    lines.extend(of_rooms.map(|fact| (fact.at, in_mongodb(fact))));
    lines.sort_by_key(|(at, _)| *at);
    let place = lines.partition_point(|(line, _)| *line <= at);
    let shown = &lines[place.saturating_sub(BEFORE)..(place + AFTER).min(lines.len())];
    shown.iter().map(|(_, line)| line.clone()).collect()
}

fn in_mongodb(fact: &Fact) -> String {
    format!("{:>8}.{:03} MongoDB  {:?}", fact.at / 1000 % 100_000, fact.at % 1000, fact.what)
}

fn names(change: &Change, whom: &str) -> bool {
    match change {
        Change::Opened { room, members } => room == whom || members.iter().any(|(user, _)| user == whom),
        Change::Announced { room } | Change::Started { room } => room == whom,
        Change::Closed { room } | Change::Gone { room } => room == whom,
        Change::Stored { room, author, .. } => room == whom || author == whom,
        Change::Present { user, .. } | Change::Absent { user } => user == whom,
        Change::Erased { .. } => false,
    }
}
