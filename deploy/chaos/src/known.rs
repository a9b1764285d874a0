//! What the checker knows: people with their connections, rooms with their lives, put together from the history
//! and the witness; and for how long faults disturbed a time.

use std::collections::{BTreeMap, HashMap};

use crate::{
    history::{Entry, Event, Ms},
    witness::{Change, Fact},
};

/// How long a system may need to recover when what was broken runs again.
const RECOVERY: Ms = 10_000;
/// However many faults follow on one another, this is all that a time limit is put off for them.
const MOST_PATIENCE: Ms = 60_000;

/// One connection of somebody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connection {
    pub(crate) number: u32,
    pub(crate) from: Ms,
    pub(crate) to: Ms,
}

/// Somebody.
#[derive(Debug, Default)]
pub(crate) struct Somebody<'a> {
    pub(crate) entries: Vec<&'a Entry>,
    pub(crate) connections: Vec<Connection>,
}

/// A room from its first to its last.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) members: Vec<(String, String)>,
    pub(crate) opened: Ms,
    pub(crate) closed: Ms,
    pub(crate) closed_known: bool,
}

impl Room {
    pub(crate) fn partner_of(&self, user: &str) -> Option<&str> {
        self.members.iter().map(|(member, _)| member.as_str()).find(|member| *member != user)
    }
}

/// A message as MongoDB had it.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) room: String,
    pub(crate) author: String,
    pub(crate) nonce: String,
    pub(crate) seq: u64,
    pub(crate) at: Ms,
    pub(crate) erased: Option<Ms>,
}

/// Everything, for looking up.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) entries: &'a [Entry],
    pub(crate) facts: &'a [Fact],
    pub(crate) people: BTreeMap<&'a str, Somebody<'a>>,
    pub(crate) rooms: BTreeMap<&'a str, Room>,
    /// In the order in which they were stored.
    pub(crate) stored: Vec<Stored>,
    pub(crate) end: Ms,
    faults: Vec<(Ms, Ms)>,
}

impl<'a> Known<'a> {
    pub(crate) fn of(entries: &'a [Entry], facts: &'a [Fact]) -> Self {
        let last_fact = facts.iter().map(|fact| fact.at).max().unwrap_or(0);
        let end = entries.iter().map(|entry| entry.at).max().unwrap_or(0).max(last_fact);
        let faults = faults(entries, end);
        let mut known = Self {
            entries,
            facts,
            people: people(entries, end),
            rooms: BTreeMap::new(),
            stored: Vec::new(),
            end,
            faults,
        };
        known.learn();
        known
    }

    fn learn(&mut self) {
        let mut places: HashMap<&str, usize> = HashMap::new();
        for fact in self.facts {
            match &fact.what {
                Change::Opened { room, members } => {
                    let life =
                        Room { members: members.clone(), opened: fact.at, closed: self.end, closed_known: false };
                    self.rooms.insert(room, life);
                }
                Change::Closed { room } | Change::Gone { room } => {
                    if let Some(life) = self.rooms.get_mut(room.as_str()).filter(|life| !life.closed_known) {
                        (life.closed, life.closed_known) = (fact.at, true);
                    }
                }
                Change::Stored { id, room, author, nonce, seq } => {
                    places.insert(id, self.stored.len());
                    let (room, author, nonce) = (room.clone(), author.clone(), nonce.clone());
                    self.stored.push(Stored { room, author, nonce, seq: *seq, at: fact.at, erased: None });
                }
                Change::Erased { id } => {
                    if let Some(place) = places.get(id.as_str()) {
                        self.stored[*place].erased = Some(fact.at);
                    }
                }
            }
        }
    }

    /// What is left of a span of time when the faults in it, and the recovery after each, do not count.
    pub(crate) fn undisturbed(&self, from: Ms, to: Ms) -> Ms {
        let mut disturbed = 0;
        let mut reached = from;
        for (began, over) in &self.faults {
            let (began, over) = ((*began).max(reached), (*over).min(to));
            if over > began {
                disturbed += over - began;
                reached = over;
            }
        }
        (to - from) - disturbed.min(MOST_PATIENCE)
    }

    /// The connections of somebody.
    pub(crate) fn connections(&self, user: &str) -> &[Connection] {
        self.people.get(user).map(|somebody| somebody.connections.as_slice()).unwrap_or_default()
    }

    /// What somebody noted.
    pub(crate) fn of_user(&self, user: &str) -> &[&'a Entry] {
        self.people.get(user).map(|somebody| somebody.entries.as_slice()).unwrap_or_default()
    }
}

fn people(entries: &[Entry], end: Ms) -> BTreeMap<&str, Somebody<'_>> {
    let mut people: BTreeMap<&str, Somebody<'_>> = BTreeMap::new();
    for entry in entries {
        if matches!(entry.what, Event::FaultBegan | Event::FaultOver) {
            continue;
        }
        let somebody = people.entry(&entry.who).or_default();
        somebody.entries.push(entry);
        match &entry.what {
            Event::Connected { connection, .. } => {
                somebody.connections.push(Connection { number: *connection, from: entry.at, to: end });
            }
            Event::Lost { connection, .. } => {
                let lost = somebody.connections.iter_mut().find(|known| known.number == *connection);
                if let Some(lost) = lost {
                    lost.to = entry.at;
                }
            }
            _ => {}
        }
    }
    people
}

/// When something was broken or recovering, in order.
fn faults(entries: &[Entry], end: Ms) -> Vec<(Ms, Ms)> {
    let mut faults: Vec<(Ms, Ms)> = Vec::new();
    let mut running: HashMap<&str, Ms> = HashMap::new();
    for entry in entries {
        match entry.what {
            Event::FaultBegan => drop(running.insert(&entry.who, entry.at)),
            Event::FaultOver => {
                let began = running.remove(entry.who.as_str()).unwrap_or(entry.at);
                faults.push((began, entry.at + RECOVERY));
            }
            _ => {}
        }
    }
    faults.extend(running.into_values().map(|began| (began, end)));
    faults.sort_unstable();
    faults
}
