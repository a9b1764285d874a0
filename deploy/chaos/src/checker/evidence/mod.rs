//! What the checker knows, put together from the history and the witness.
//!
//! `user` has what clients recorded, `room` and `document` what MongoDB held, `disturbance` what the faults excuse.

pub(crate) mod disturbance;
mod document;
mod room;
mod user;

use std::collections::BTreeMap;

use self::{
    disturbance::{Disturbances, Part},
    document::Documents,
    room::Rooms,
    user::users,
};
pub(crate) use self::{
    room::{Room, Stored},
    user::{Connection, Goodbye, User},
};
use crate::{
    history::{Entry, Event, Ms},
    observe::change::Fact,
};

/// Clocks of this machine's processes, and the time between MongoDB's stamp and the reply to the one that wrote it.
pub(crate) const AT_ONCE: Ms = 50;
/// How soon a gateway that accepted an attempt, perhaps when it woke up, receives that the client gave it up.
const GIVEN_UP: Ms = 1_000;

/// Everything, for looking up.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) entries: &'a [Entry],
    pub(crate) facts: &'a [Fact],
    pub(crate) users: BTreeMap<&'a str, User<'a>>,
    pub(crate) rooms: BTreeMap<&'a str, Room>,
    /// In the order in which they were stored.
    pub(crate) stored: Vec<Stored>,
    pub(crate) documents: Documents<'a>,
    pub(crate) faults: Disturbances<'a>,
    pub(crate) end: Ms,
}

impl<'a> Evidence<'a> {
    pub(crate) fn of(entries: &'a [Entry], facts: &'a [Fact]) -> Self {
        let last_fact = facts.iter().map(|fact| fact.at).max().unwrap_or(0);
        let end = entries.iter().map(|entry| entry.at).max().unwrap_or(0).max(last_fact);
        let Rooms { rooms, stored, .. } = Rooms::of(facts, end);
        let (users, faults) = (users(entries, end), Disturbances::of(entries, end));
        Self { entries, facts, users, rooms, stored, documents: Documents::of(facts), faults, end }
    }

    /// The connections of a user.
    pub(crate) fn connections(&self, user: &str) -> &[Connection] {
        self.users.get(user).map(|user| user.connections.as_slice()).unwrap_or_default()
    }

    /// What a user recorded.
    pub(crate) fn of_user(&self, user: &str) -> &[&'a Entry] {
        self.users.get(user).map(|user| user.entries.as_slice()).unwrap_or_default()
    }

    pub(crate) fn is_legacy(&self, user: &str) -> bool {
        self.users.get(user).is_some_and(|user| user.legacy)
    }

    /// The room that a user is in at this time, as MongoDB had it.
    pub(crate) fn room_of(&self, user: &str, at: Ms) -> Option<(&'a str, &Room)> {
        let there = |room: &Room| room.has(user) && room.opened <= at && at < room.closed;
        self.rooms.iter().find(|(_, room)| there(room)).map(|(id, room)| (*id, room))
    }

    /// Left this room, or tried to, before this time; also while waiting for it.
    pub(crate) fn left_before(&self, user: &str, room: &Room, at: Ms) -> bool {
        let entries = self.of_user(user);
        let queued = entries.iter().rfind(|entry| entry.at <= room.opened && entry.what == Event::QueueRequested);
        let since = queued.map_or(Ms::MIN, |queued| queued.at);
        let leaves = |entry: &&&Entry| matches!(entry.what, Event::Leaving | Event::Left);
        entries.iter().filter(leaves).any(|entry| (since..=at).contains(&entry.at))
    }

    /// The last time at which a user was connected, or may have seemed to be, before then; none for never. An attempt
    /// counts from when MongoDB had it. One that was given up counts, too: a gateway that was paused, or whose bus hung,
    /// takes it when that is over, and receives at once that it was closed. A connection whose packets are dropped seems
    /// to be open until the gateway misses its pings.
    pub(crate) fn last_connected(&self, user: &str, before: Ms) -> Option<Ms> {
        self.connected_until(user, before, Connection::noticed)
    }

    /// The same, when all that seemed to be open was found to be dead as early as may be.
    pub(crate) fn surely_connected(&self, user: &str, before: Ms) -> Option<Ms> {
        self.connected_until(user, before, Connection::first_noticed)
    }

    fn connected_until(&self, user: &str, before: Ms, closed: impl Fn(&Connection) -> Ms) -> Option<Ms> {
        let known = self.users.get(user)?;
        let connected = known.connections.iter().map(|connection| {
            let from = self.documents.opened_in(user, connection.connecting, connection.from);
            (from.unwrap_or(connection.from), closed(connection))
        });
        let failed = known.failed.iter().filter_map(|(from, to)| {
            let mended = self.faults.calm_since(&[Part::Matcher], *to).map_or(*to, |mended| mended.max(*to));
            let opened = self.documents.opened_in(user, *from, mended + GIVEN_UP)?;
            Some((opened, opened.max(*to)))
        });
        let until = connected.chain(failed).filter(|(from, _)| *from <= before).map(|(_, to)| to.min(before));
        until.max()
    }

    /// The connection that a user has during the whole of this time.
    pub(crate) fn throughout(&self, user: &str, from: Ms, to: Ms) -> Option<&Connection> {
        self.connections(user).iter().find(|connection| connection.from <= from && connection.to >= to)
    }
}
