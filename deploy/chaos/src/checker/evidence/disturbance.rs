//! When which part was broken, and how much of a span of time that excuses: only what concerns a user does. The death of
//! one gateway excuses nothing for users of the other one.

use std::collections::HashMap;

use crate::{
    history::{Entry, Event, Ms},
    observe::machine::MACHINE,
};

/// How long the system may need to recover when servers that were down are back: promised.
const RECOVERY_OF_SERVERS: Ms = 10_000;
/// The same of a service: what it worked on is delivered again after 5 s, to others; the leader's lease lapses after 3 s.
const RECOVERY_OF_SERVICES: Ms = 8_000;
/// The same of the machine, after a standstill.
const RECOVERY_OF_MACHINE: Ms = 3_000;
/// However many faults follow on one another, their recoveries extend a time limit by this at most.
const MOST_RECOVERY: Ms = 60_000;

/// What can be broken. The servers and the machine concern every user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A gateway, counted from 0, or its way to NATS.
    Gateway(usize),
    /// Any matcher.
    Matcher,
    /// Any chat-store.
    ChatStore,
    /// Any of NATS and MongoDB.
    Servers,
    /// All of it.
    Machine,
}

impl Part {
    fn named(target: &str) -> Self {
        let number = || target.rsplit('-').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(1);
        match target {
            gateway if gateway.starts_with("gateway") => Self::Gateway(number() - 1),
            matcher if matcher.starts_with("matcher") => Self::Matcher,
            store if store.starts_with("chat-store") => Self::ChatStore,
            MACHINE => Self::Machine,
            _ => Self::Servers,
        }
    }

    fn recovery(self) -> Ms {
        match self {
            Self::Servers => RECOVERY_OF_SERVERS,
            Self::Machine => RECOVERY_OF_MACHINE,
            Self::Gateway(_) | Self::Matcher | Self::ChatStore => RECOVERY_OF_SERVICES,
        }
    }
}

/// A time in which something was broken or recovering.
#[derive(Debug)]
pub(crate) struct Disturbance<'a> {
    /// The fault's name.
    pub(crate) fault: &'a str,
    pub(crate) part: Part,
    pub(crate) started: Ms,
    /// When it ran again; the recovery is not in it.
    pub(crate) ended: Ms,
}

impl Disturbance<'_> {
    pub(crate) fn recovered(&self) -> Ms {
        self.ended + self.part.recovery()
    }
}

/// How much of a span of time these cover, in the order in which they start.
fn covered(times: impl Iterator<Item = (Ms, Ms)>, from: Ms, to: Ms) -> Ms {
    let mut covered = 0;
    let mut reached = from;
    for (started, ended) in times.map(|(started, ended)| (started, ended.min(to))) {
        if ended > started.max(reached) {
            covered += ended - started.max(reached);
            reached = ended;
        }
    }
    covered
}

/// All of them, in the order in which they started.
#[derive(Debug)]
pub(crate) struct Disturbances<'a>(Vec<Disturbance<'a>>);

impl<'a> Disturbances<'a> {
    pub(crate) fn of(entries: &'a [Entry], end: Ms) -> Self {
        let mut all: Vec<Disturbance<'a>> = Vec::new();
        let mut running: HashMap<&str, usize> = HashMap::new();
        for entry in entries {
            match &entry.what {
                Event::FaultStarted { target } => {
                    running.insert(&entry.who, all.len());
                    let (fault, part) = (entry.who.as_str(), Part::named(target));
                    all.push(Disturbance { fault, part, started: entry.at, ended: end });
                }
                Event::FaultEnded => {
                    if let Some(place) = running.remove(entry.who.as_str()) {
                        all[place].ended = entry.at;
                    }
                }
                _ => {}
            }
        }
        all.sort_by_key(|fault| fault.started);
        Self(all)
    }

    pub(crate) fn all(&self) -> &[Disturbance<'a>] {
        &self.0
    }

    /// What is left of a span of time when the faults in it that concern these parts, and the recovery after each, do
    /// not count. Negative when the span is.
    pub(crate) fn undisturbed(&self, of: &[Part], from: Ms, to: Ms) -> Ms {
        let broken = covered(self.concerning(of).map(|fault| (fault.started, fault.ended)), from, to);
        let disturbed = covered(self.concerning(of).map(|fault| (fault.started, fault.recovered())), from, to);
        (to - from) - broken - (disturbed - broken).min(MOST_RECOVERY)
    }

    /// Since when, or from when on, nothing that concerns these is broken or recovering, seen from this time.
    pub(crate) fn calm_since(&self, of: &[Part], at: Ms) -> Option<Ms> {
        self.concerning(of).fold(None, |calm, fault| {
            let follows = fault.started <= calm.unwrap_or(at).max(at);
            if follows { calm.max(Some(fault.recovered())) } else { calm }
        })
    }

    /// Nothing that concerns these was broken or recovering.
    pub(crate) fn calm(&self, of: &[Part], from: Ms, to: Ms) -> bool {
        self.undisturbed(of, from, to) == to - from
    }

    /// Any part was broken at some time between these, not counting recoveries.
    pub(crate) fn any_of(&self, part: Part, from: Ms, to: Ms) -> bool {
        self.0.iter().any(|fault| fault.part == part && fault.started <= to && fault.ended >= from)
    }

    fn concerning(&self, of: &[Part]) -> impl Iterator<Item = &Disturbance<'a>> {
        let always = [Part::Servers, Part::Machine];
        self.0.iter().filter(move |fault| always.contains(&fault.part) || of.contains(&fault.part))
    }
}
