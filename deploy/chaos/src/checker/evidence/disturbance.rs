//! When what was broken, and how much of a span of time that excuses: only what concerns somebody does. Who is on the
//! other gateway has nothing to suffer from the death of this one.

use std::collections::HashMap;

use crate::{
    history::{Entry, Event, Ms},
    standstill::MACHINE,
};

/// How long a system may need to recover when servers that were away are back: promised.
const RECOVERY_OF_SERVERS: Ms = 10_000;
/// The same of a service: what it had in hand is delivered again after 5 s, to others; its lease lapses after 3 s.
const RECOVERY_OF_SERVICES: Ms = 8_000;
/// The same of the machine, after a standstill.
const RECOVERY_OF_MACHINE: Ms = 3_000;
/// However many faults follow on one another, this is all that a time limit is put off for the recoveries from them.
const MOST_PATIENCE: Ms = 60_000;

/// What can be broken and concern somebody. The servers and the machine concern everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The gateway that somebody is connected to, counted from 0.
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
    pub(crate) began: Ms,
    /// When it ran again; the recovery is not in it.
    pub(crate) over: Ms,
}

impl Disturbance<'_> {
    pub(crate) fn recovered(&self) -> Ms {
        self.over + self.part.recovery()
    }
}

/// How much of a span of time these cover, in the order in which they begin.
fn covered(times: impl Iterator<Item = (Ms, Ms)>, from: Ms, to: Ms) -> Ms {
    let mut covered = 0;
    let mut reached = from;
    for (began, over) in times.map(|(began, over)| (began, over.min(to))) {
        if over > began.max(reached) {
            covered += over - began.max(reached);
            reached = over;
        }
    }
    covered
}

/// All of them, in the order in which they began.
#[derive(Debug)]
pub(crate) struct Disturbances<'a>(Vec<Disturbance<'a>>);

impl<'a> Disturbances<'a> {
    pub(crate) fn of(entries: &'a [Entry], end: Ms) -> Self {
        let mut all: Vec<Disturbance<'a>> = Vec::new();
        let mut running: HashMap<&str, usize> = HashMap::new();
        for entry in entries {
            match &entry.what {
                Event::FaultBegan { target } => {
                    running.insert(&entry.who, all.len());
                    let (fault, part) = (entry.who.as_str(), Part::named(target));
                    all.push(Disturbance { fault, part, began: entry.at, over: end });
                }
                Event::FaultOver => {
                    if let Some(place) = running.remove(entry.who.as_str()) {
                        all[place].over = entry.at;
                    }
                }
                _ => {}
            }
        }
        all.sort_by_key(|fault| fault.began);
        Self(all)
    }

    pub(crate) fn all(&self) -> &[Disturbance<'a>] {
        &self.0
    }

    /// What is left of a span of time when the faults in it that concern these, and the recovery after each, do not
    /// count. Negative when the span is.
    pub(crate) fn undisturbed(&self, of: &[Part], from: Ms, to: Ms) -> Ms {
        let broken = covered(self.concerning(of).map(|fault| (fault.began, fault.over)), from, to);
        let disturbed = covered(self.concerning(of).map(|fault| (fault.began, fault.recovered())), from, to);
        (to - from) - broken - (disturbed - broken).min(MOST_PATIENCE)
    }

    /// Since when, or from when on, nothing that concerns these is broken or recovering, seen from this time.
    pub(crate) fn calm_since(&self, of: &[Part], at: Ms) -> Option<Ms> {
        self.concerning(of).fold(None, |calm, fault| {
            let connected = fault.began <= calm.unwrap_or(at).max(at);
            if connected { calm.max(Some(fault.recovered())) } else { calm }
        })
    }

    /// Nothing that concerns these was broken or recovering.
    pub(crate) fn calm(&self, of: &[Part], from: Ms, to: Ms) -> bool {
        self.undisturbed(of, from, to) == to - from
    }

    fn concerning(&self, of: &[Part]) -> impl Iterator<Item = &Disturbance<'a>> {
        let everybody = [Part::Servers, Part::Machine];
        self.0.iter().filter(move |fault| everybody.contains(&fault.part) || of.contains(&fault.part))
    }
}
