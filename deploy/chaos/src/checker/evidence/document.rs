//! The documents of users as MongoDB had them: in which state each was, and whether its register was open.

use std::collections::HashMap;

use crate::{
    history::Ms,
    observe::change::{Change, Fact},
};

/// What the documents of one user said, and since when.
#[derive(Debug, Default)]
struct Document<'a> {
    states: Vec<(Ms, &'a str)>,
    /// Whether the register was open, in a document that was not erased.
    present: Vec<(Ms, bool)>,
    open: bool,
}

impl<'a> Document<'a> {
    fn changed(&mut self, at: Ms, state: Option<&'a str>, connected: Option<bool>) {
        self.open = connected.unwrap_or(self.open);
        self.states.extend(state.map(|state| (at, state)));
        let erased = self.states.last().is_some_and(|(_, state)| matches!(*state, GONE | DELETED));
        self.present.push((at, self.open && !erased));
    }
}

/// The state of a tombstone, and of a document that is no more.
const GONE: &str = "gone";
const DELETED: &str = "deleted";

/// The documents of all users.
#[derive(Debug, Default)]
pub(crate) struct Documents<'a>(HashMap<&'a str, Document<'a>>);

impl<'a> Documents<'a> {
    pub(crate) fn of(facts: &'a [Fact]) -> Self {
        let mut documents = Self::default();
        for Fact { at, what } in facts {
            match what {
                Change::UserChanged { user, state, connected } => {
                    documents.0.entry(user).or_default().changed(*at, state.as_deref(), *connected);
                }
                Change::UserDeleted { user } => {
                    documents.0.entry(user).or_default().changed(*at, Some(DELETED), Some(false));
                }
                _ => {}
            }
        }
        documents
    }

    /// When the register of a user was written open in this time, for the first time.
    pub(crate) fn opened_in(&self, user: &str, from: Ms, to: Ms) -> Option<Ms> {
        let mut present = self.0.get(user)?.present.iter();
        present.find(|(at, open)| *open && (from..=to).contains(at)).map(|(at, _)| *at)
    }

    /// Since when MongoDB had had a user as disconnected at this time.
    pub(crate) fn absent_since(&self, user: &str, at: Ms) -> Option<Ms> {
        let present = &self.0.get(user)?.present;
        let before = &present[..present.partition_point(|(changed, _)| *changed <= at)];
        let absent = before.iter().rev().take_while(|(_, open)| !open);
        absent.last().map(|(since, _)| *since)
    }

    /// The times in which a user waited or was in a room: from, to, and the state with which each began. Two that
    /// follow on each other are one.
    pub(crate) fn engaged(&self, user: &str, end: Ms) -> Vec<(Ms, Ms, &'a str)> {
        let states = self.0.get(user).map(|document| document.states.as_slice()).unwrap_or_default();
        let mut engaged: Vec<(Ms, Ms, &str)> = Vec::new();
        let mut running = false;
        for (at, state) in states {
            let engages = matches!(*state, "waiting" | "paired");
            match (engages, running) {
                (true, false) => engaged.push((*at, end, state)),
                (false, true) => engaged.last_mut().into_iter().for_each(|last| last.1 = *at),
                _ => {}
            }
            running = engages;
        }
        engaged
    }

    /// When a user's document was written as waiting or in a room, in this time.
    pub(crate) fn engagements(&self, user: &str, from: Ms, to: Ms) -> impl Iterator<Item = (Ms, &'a str)> {
        let states = self.0.get(user).map(|document| document.states.as_slice()).unwrap_or_default();
        let in_time = states.iter().filter(move |(at, _)| (from..=to).contains(at));
        in_time.filter(|(_, state)| matches!(*state, "waiting" | "paired")).copied()
    }

    /// The state of a user's document at this time.
    pub(crate) fn state_at(&self, user: &str, at: Ms) -> Option<&'a str> {
        let states = &self.0.get(user)?.states;
        states[..states.partition_point(|(changed, _)| *changed <= at)].last().map(|(_, state)| *state)
    }
}
