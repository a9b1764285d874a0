//! What the checker knows: people with their connections, rooms with their lives, put together from the history
//! and the witness.

use std::collections::{BTreeMap, HashMap};

use crate::{
    disturbance::{Disturbances, Part},
    history::{Entry, Event, Ms},
    somebody::{Connection, Somebody, people},
    witness::{Change, Fact},
};

/// How soon a gateway that took somebody's attempt, perhaps when it woke up, hears that it was given up.
const GIVEN_UP: Ms = 1_000;

/// A room from its first to its last.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) members: Vec<(String, String)>,
    pub(crate) opened: Ms,
    pub(crate) closed: Ms,
    pub(crate) closed_known: bool,
    /// When both had entered.
    pub(crate) started: Option<Ms>,
    /// When the first of its messages was erased.
    pub(crate) erased: Option<Ms>,
}

impl Room {
    pub(crate) fn partner_of(&self, user: &str) -> Option<&str> {
        self.members.iter().map(|(member, _)| member.as_str()).find(|member| *member != user)
    }

    pub(crate) fn has(&self, user: &str) -> bool {
        self.members.iter().any(|(member, _)| member == user)
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
    /// Something of its room had been erased before.
    pub(crate) too_late: bool,
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
    /// Since when MongoDB had somebody as there, or as gone.
    pub(crate) present: HashMap<&'a str, Vec<(Ms, bool)>>,
    pub(crate) end: Ms,
    pub(crate) faults: Disturbances<'a>,
}

impl<'a> Known<'a> {
    pub(crate) fn of(entries: &'a [Entry], facts: &'a [Fact]) -> Self {
        let last_fact = facts.iter().map(|fact| fact.at).max().unwrap_or(0);
        let end = entries.iter().map(|entry| entry.at).max().unwrap_or(0).max(last_fact);
        let mut known = Self {
            entries,
            facts,
            people: people(entries, end),
            rooms: BTreeMap::new(),
            stored: Vec::new(),
            present: HashMap::new(),
            end,
            faults: Disturbances::of(entries, end),
        };
        known.learn();
        known
    }

    fn learn(&mut self) {
        let mut places: HashMap<&str, usize> = HashMap::new();
        for Fact { at, what } in self.facts {
            match what {
                Change::Opened { room, members } => {
                    self.rooms.insert(room, opened(*at, members, self.end));
                }
                Change::Started { room } => {
                    if let Some(life) = self.rooms.get_mut(room.as_str()) {
                        life.started.get_or_insert(*at);
                    }
                }
                Change::Announced { .. } => {}
                Change::Closed { room } | Change::Gone { room } => {
                    if let Some(life) = self.rooms.get_mut(room.as_str()).filter(|life| !life.closed_known) {
                        (life.closed, life.closed_known) = (*at, true);
                    }
                }
                Change::Stored { id, room, author, nonce, seq } => {
                    places.insert(id, self.stored.len());
                    let too_late = self.rooms.get(room.as_str()).is_some_and(|life| life.erased.is_some());
                    let (room, author, nonce) = (room.clone(), author.clone(), nonce.clone());
                    let stored = Stored { room, author, nonce, seq: *seq, at: *at, erased: None, too_late };
                    self.stored.push(stored);
                }
                Change::Erased { id } => {
                    let Some(stored) = places.get(id.as_str()).map(|place| &mut self.stored[*place]) else { continue };
                    stored.erased = Some(*at);
                    if let Some(life) = self.rooms.get_mut(stored.room.as_str()) {
                        life.erased.get_or_insert(*at);
                    }
                }
                Change::Present { user, .. } => self.present.entry(user).or_default().push((*at, true)),
                Change::Absent { user } => self.present.entry(user).or_default().push((*at, false)),
            }
        }
    }

    /// The connections of somebody.
    pub(crate) fn connections(&self, user: &str) -> &[Connection] {
        self.people.get(user).map(|somebody| somebody.connections.as_slice()).unwrap_or_default()
    }

    /// What somebody noted.
    pub(crate) fn of_user(&self, user: &str) -> &[&'a Entry] {
        self.people.get(user).map(|somebody| somebody.entries.as_slice()).unwrap_or_default()
    }

    pub(crate) fn is_old(&self, user: &str) -> bool {
        self.people.get(user).is_some_and(|somebody| somebody.old)
    }

    /// The room that somebody is in at this time, as MongoDB had it.
    pub(crate) fn room_of(&self, user: &str, at: Ms) -> Option<(&'a str, &Room)> {
        let there = |room: &Room| room.has(user) && room.opened <= at && at < room.closed;
        self.rooms.iter().find(|(_, room)| there(room)).map(|(id, room)| (*id, room))
    }

    /// Asked to leave, or was asked to go, before this time.
    pub(crate) fn left_before(&self, user: &str, at: Ms) -> bool {
        self.of_user(user).iter().any(|entry| entry.at <= at && matches!(entry.what, Event::Leaving | Event::Left))
    }

    /// Since when MongoDB had somebody as gone, if it had at this time.
    pub(crate) fn absent_since(&self, user: &str, at: Ms) -> Option<Ms> {
        let noted = self.present.get(user)?;
        let before = &noted[..noted.partition_point(|(noted, _)| *noted <= at)];
        let gone = before.iter().rev().take_while(|(_, there)| !there);
        gone.last().map(|(since, _)| *since)
    }

    /// The last time at which somebody was there, or may have seemed to be, before then; nothing for never. While
    /// they try to connect, that is since MongoDB noted it; of an attempt that was given up that may be when what was
    /// broken is mended.
    pub(crate) fn last_there(&self, user: &str, before: Ms) -> Option<Ms> {
        let somebody = self.people.get(user)?;
        let noted = |from: Ms, to: Ms| {
            let mut present = self.present.get(user).into_iter().flatten();
            present.find(|(at, there)| *there && (from..=to).contains(at)).map(|(at, _)| *at)
        };
        let connected = somebody.connections.iter().map(|line| {
            let from = noted(line.coming, line.from).unwrap_or(line.from);
            (from, line.to)
        });
        let missed = somebody.missed.iter().filter_map(|(from, to)| {
            let mended = self.faults.calm_since(&[Part::Matcher], *to).map_or(*to, |mended| mended.max(*to));
            let noted = noted(*from, mended + GIVEN_UP)?;
            Some((noted, noted.max(*to)))
        });
        let until = connected.chain(missed).filter(|(from, _)| *from <= before).map(|(_, to)| to.min(before));
        until.max()
    }
}

fn opened(at: Ms, members: &[(String, String)], end: Ms) -> Room {
    let members = members.to_vec();
    Room { members, opened: at, closed: end, closed_known: false, started: None, erased: None }
}
