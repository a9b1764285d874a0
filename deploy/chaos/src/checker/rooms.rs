//! The invariants of rooms: nobody is in two of them, those in one fit, and both learn of it.

use std::collections::HashMap;

use crate::{
    checker::Findings,
    disturbance::Part,
    history::{Entry, Event, Ms},
    known::{Known, Room},
    somebody::Connection,
    witness::Change,
};

/// Both of a pair are told at once; what was lost is told again in the next sweep but two, within 3 s and a tick.
const TOLD: Ms = 7_000;
/// Clocks of this machine's processes, and the time between MongoDB's stamp and the answer to whoever wrote it.
pub(crate) const AT_ONCE: Ms = 50;

pub(crate) fn check(known: &Known<'_>, found: &mut Findings) {
    one_room(known, found);
    for (id, room) in &known.rooms {
        both_told(known, id, room, found);
    }
    in_their_own_room(known, found);
}

/// Nobody is in two open rooms, and the two of a room fit.
fn one_room(known: &Known<'_>, found: &mut Findings) {
    let mut open: HashMap<&str, &str> = HashMap::new();
    for fact in known.facts {
        match &fact.what {
            Change::Opened { room, members } => {
                found.judged("one open room", fact.at);
                for (user, _) in members {
                    if let Some(other) = open.insert(user, room) {
                        let what = format!("{user} is in {other} and in {room}");
                        found.broken(known, "one open room", fact.at, &[user, room, other], what);
                    }
                }
                if !fits(members) {
                    let what = format!("{room} has {members:?}");
                    found.broken(known, "one open room", fact.at, &[room], what);
                }
            }
            Change::Closed { room } | Change::Gone { room } => open.retain(|_, other| other != room),
            _ => {}
        }
    }
}

fn fits(members: &[(String, String)]) -> bool {
    let [(first, one), (second, other)] = members else { return false };
    first != second && matches!((&**one, &**other), ("vent", "listen") | ("listen", "vent") | ("talk", "talk"))
}

/// Whoever has a connection for long enough after the room was opened learns of it in this time.
fn both_told(known: &Known<'_>, id: &str, room: &Room, found: &mut Findings) {
    for (user, _) in &room.members {
        let told: Vec<Ms> = known
            .of_user(user)
            .iter()
            .filter(|entry| entry.at >= room.opened - AT_ONCE && is_told(&entry.what))
            .map(|entry| entry.at)
            .collect();
        for line in known.connections(user) {
            let from = line.from.max(room.opened);
            let undisturbed = |to: Ms| known.faults.undisturbed(&[Part::Matcher, line.gateway()], from, to);
            let told = told.iter().any(|at| *at <= line.to && undisturbed(*at) <= TOLD);
            if !told && undisturbed(line.to.min(room.closed)) <= TOLD {
                continue;
            }
            found.judged("both told", room.opened);
            if !told {
                let what = format!("{user} was not told of {id}");
                found.broken(known, "both told", room.opened, &[user, id], what);
                break;
            }
        }
    }
}

fn is_told(event: &Event) -> bool {
    match event {
        Event::Matched => true,
        Event::Connected { state, .. } => state == "room" || state == "over",
        // An old client hears this when it comes back into its room.
        Event::PartnerHere | Event::PartnerLost => true,
        _ => false,
    }
}

/// Nobody gets, sends or is told anything of a room that is not theirs.
fn in_their_own_room(known: &Known<'_>, found: &mut Findings) {
    for entry in known.entries {
        let Some(room) = room_in(entry) else { continue };
        found.judged("in their own room", entry.at);
        if !known.rooms.get(room).is_some_and(|life| life.has(&entry.who)) {
            let what = format!("{} is no member of {room}", entry.who);
            found.broken(known, "in their own room", entry.at, &[&entry.who, room], what);
        }
    }
}

fn room_in(entry: &Entry) -> Option<&str> {
    match &entry.what {
        Event::Received { room, .. } | Event::Acknowledged { room, .. } => Some(room),
        Event::Connected { room: Some(room), .. } => Some(room),
        _ => None,
    }
}

/// The connection that somebody has during the whole of this time.
pub(crate) fn throughout<'k>(known: &'k Known<'_>, user: &str, from: Ms, to: Ms) -> Option<&'k Connection> {
    known.connections(user).iter().find(|line| line.from <= from && line.to >= to)
}
