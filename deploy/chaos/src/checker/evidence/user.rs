//! Somebody as the checker knows them: what they noted, their connections and their attempts.

use std::collections::{BTreeMap, HashMap};

use crate::{
    disturbance::Part,
    history::{Entry, Event, Ms},
};

/// One connection of somebody.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) number: u32,
    pub(crate) gateway: usize,
    /// When they began to try: since then the matcher may count them as there.
    pub(crate) coming: Ms,
    /// When they knew that it is there.
    pub(crate) from: Ms,
    pub(crate) to: Ms,
    /// What they were told of where they are.
    pub(crate) state: String,
    pub(crate) last_seq: Option<u64>,
}

impl Connection {
    /// What has to work for whoever is on it, beside the servers and what they ask for.
    pub(crate) fn gateway(&self) -> Part {
        Part::Gateway(self.gateway)
    }
}

/// Somebody.
#[derive(Debug, Default)]
pub(crate) struct Somebody<'a> {
    pub(crate) entries: Vec<&'a Entry>,
    pub(crate) connections: Vec<Connection>,
    /// Attempts that they gave up, from then to then.
    pub(crate) missed: Vec<(Ms, Ms)>,
    /// An old front-end.
    pub(crate) old: bool,
}

/// Everybody, put together from what they noted until the end.
pub(crate) fn people(entries: &[Entry], end: Ms) -> BTreeMap<&str, Somebody<'_>> {
    let mut people: BTreeMap<&str, Somebody<'_>> = BTreeMap::new();
    let mut coming: HashMap<&str, Ms> = HashMap::new();
    for entry in entries {
        let at = entry.at;
        if matches!(entry.what, Event::FaultBegan { .. } | Event::FaultOver) {
            continue;
        }
        let somebody = people.entry(&entry.who).or_default();
        somebody.entries.push(entry);
        match &entry.what {
            Event::Coming => drop(coming.insert(&entry.who, at)),
            Event::Missed => {
                let from = coming.remove(entry.who.as_str()).unwrap_or(at);
                somebody.missed.push((from, at));
            }
            Event::Connected { connection, gateway, state, last_seq, old, .. } => {
                somebody.old |= old;
                somebody.connections.push(Connection {
                    number: *connection,
                    gateway: *gateway,
                    coming: coming.remove(entry.who.as_str()).unwrap_or(at),
                    from: at,
                    to: end,
                    state: state.clone(),
                    last_seq: *last_seq,
                });
            }
            Event::Lost { connection, .. } => {
                let lost = somebody.connections.iter_mut().find(|known| known.number == *connection);
                if let Some(lost) = lost {
                    lost.to = at;
                }
            }
            _ => {}
        }
    }
    for (user, from) in coming {
        people.entry(user).or_default().missed.push((from, end));
    }
    people
}
