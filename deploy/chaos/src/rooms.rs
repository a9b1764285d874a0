//! The invariants of people and rooms.

use std::collections::HashMap;

use crate::{
    checker::{Violation, violation},
    history::{Event, Ms},
    known::{Known, Room},
    witness::Change,
};

/// Both of a pair are told at once; lost announcements are repeated every 3 s.
const TOLD: Ms = 8_000;
/// Somebody whose loss the gateway saw is not offered any more.
const GHOST: Ms = 2_000;
/// Somebody whose gateway was killed is not offered any more.
const GHOST_OF_KILLED: Ms = 15_000;
/// Somebody who tried to connect so short a time ago may be there, although their page does not know yet.
const COMING: Ms = 7_000;
/// Two who wait are matched: moved to talk after 10 s, matched in the next tick.
const WAIT: Ms = 18_000;
/// Somebody gone is removed after 30 s, and 15 s more when the gateway was killed.
const REMOVED: Ms = 30_000 + 15_000 + 3_000;

pub(crate) fn check(known: &Known<'_>, violations: &mut Vec<Violation>) {
    one_room(known, violations);
    for (id, room) in &known.rooms {
        both_told(known, id, room, violations);
        no_ghost(known, id, room, violations);
        not_left_alone(known, id, room, violations);
    }
    nobody_waits_for_ever(known, violations);
}

/// Nobody is in two open rooms, and the two of a room fit.
fn one_room(known: &Known<'_>, violations: &mut Vec<Violation>) {
    let mut open: HashMap<&str, &str> = HashMap::new();
    for fact in known.facts {
        match &fact.what {
            Change::Opened { room, members } => {
                for (user, _) in members {
                    if let Some(other) = open.insert(user, room) {
                        let what = format!("{user} is in {other} and in {room}");
                        violations.push(violation(known, "one open room", fact.at, &[user, room, other], what));
                    }
                }
                if !fits(members) {
                    let what = format!("{room} has {members:?}");
                    violations.push(violation(known, "one open room", fact.at, &[room], what));
                }
            }
            Change::Closed { room } | Change::Gone { room } => open.retain(|_, other| other != room),
            Change::Stored { .. } | Change::Erased { .. } => {}
        }
    }
}

fn fits(members: &[(String, String)]) -> bool {
    let [(first, one), (second, other)] = members else { return false };
    first != second && matches!((&**one, &**other), ("vent", "listen") | ("listen", "vent") | ("talk", "talk"))
}

/// Whoever has a connection learns of the room.
fn both_told(known: &Known<'_>, id: &str, room: &Room, violations: &mut Vec<Violation>) {
    for (user, _) in &room.members {
        let told = |event: &Event| match event {
            Event::Matched => true,
            Event::Connected { state, .. } => state == "room" || state == "over",
            _ => false,
        };
        let told = known.of_user(user).iter().any(|entry| entry.at >= room.opened - 50 && told(&entry.what));
        let could = |from: Ms, to: Ms| known.undisturbed(from.max(room.opened), to.min(room.closed));
        let patient = known.connections(user).iter().any(|line| could(line.from, line.to) > TOLD);
        if !told && patient {
            let what = format!("{user} was never told of {id}");
            violations.push(violation(known, "both told", room.opened, &[user, id], what));
        }
    }
}

/// Nobody is offered who had been gone for longer than the promised time.
fn no_ghost(known: &Known<'_>, id: &str, room: &Room, violations: &mut Vec<Violation>) {
    for (user, _) in &room.members {
        let connections = known.connections(user);
        let Some(last) = connections.iter().rfind(|line| line.from <= room.opened).filter(|line| line.to < room.opened)
        else {
            continue;
        };
        let coming = known.of_user(user).iter().filter(|entry| entry.what == Event::Coming);
        if coming.map(|entry| room.opened - entry.at).any(|ago| (0..COMING).contains(&ago)) {
            continue;
        }
        let gone = room.opened - last.to;
        let calm = known.undisturbed(last.to - GHOST_OF_KILLED, room.opened) == gone + GHOST_OF_KILLED;
        let limit = if calm { GHOST } else { GHOST_OF_KILLED };
        if known.undisturbed(last.to, room.opened) > limit {
            let what = format!("{user} had been gone for {gone} ms when matched in {id}");
            violations.push(violation(known, "no ghost offered", room.opened, &[user, id], what));
        }
    }
}

/// Whoever's partner never comes back is told that it is over.
fn not_left_alone(known: &Known<'_>, id: &str, room: &Room, violations: &mut Vec<Violation>) {
    for (user, _) in &room.members {
        let Some(last) = known.connections(user).last().filter(|line| line.to < known.end) else { continue };
        let gone = last.to.max(room.opened);
        if known.undisturbed(gone, room.closed) > REMOVED {
            let what = format!("{user} was gone for {} ms and {id} was still open", room.closed - gone);
            violations.push(violation(known, "nobody left alone", room.closed, &[user, id], what));
        }
        let Some(partner) = room.partner_of(user).filter(|_| room.closed_known) else { continue };
        let lines = known.connections(partner);
        let there = lines.iter().find(|line| known.undisturbed(line.from.max(room.closed), line.to) > TOLD);
        let over = |event: &Event| match event {
            Event::Ended | Event::Left | Event::Returned => true,
            Event::Connected { state, .. } => state != "room",
            _ => false,
        };
        let told = known.of_user(partner).iter().any(|entry| entry.at >= room.closed - 50 && over(&entry.what));
        if there.is_some() && !told {
            let what = format!("{partner} was not told that {id} is over");
            violations.push(violation(known, "nobody left alone", room.closed, &[partner, id], what));
        }
    }
}

/// Somebody who waits, from then to then.
struct Wait<'a> {
    user: &'a str,
    from: Ms,
    to: Ms,
}

/// Of two who wait with a connection, one is matched: everybody is moved to talk in the end.
fn nobody_waits_for_ever(known: &Known<'_>, violations: &mut Vec<Violation>) {
    let mut waits: Vec<Wait<'_>> = known.people.keys().flat_map(|user| waits(known, user)).collect();
    waits.retain(|wait| known.undisturbed(wait.from, wait.to) > WAIT);
    waits.sort_by_key(|wait| wait.from);
    for (place, wait) in waits.iter().enumerate() {
        let other = waits[place + 1..].iter().find(|other| {
            let both = (other.from.max(wait.from), other.to.min(wait.to));
            both.1 > both.0 && known.undisturbed(both.0, both.1) > WAIT
        });
        if let Some(other) = other {
            let what = format!("{} and {} wait for each other", wait.user, other.user);
            violations.push(violation(known, "nobody waits for ever", wait.to, &[wait.user, other.user], what));
        }
    }
}

/// The times in which somebody waited on one connection without being told of anything.
fn waits<'a>(known: &Known<'a>, user: &'a str) -> Vec<Wait<'a>> {
    let mut waits = Vec::new();
    let mut since: Option<Ms> = None;
    let mut end = |since: &mut Option<Ms>, to: Ms| {
        if let Some(from) = since.take() {
            waits.push(Wait { user, from, to });
        }
    };
    for entry in known.of_user(user) {
        match &entry.what {
            Event::Queued { .. } => since = Some(entry.at),
            Event::Connected { state, .. } if state == "waiting" => since = Some(entry.at),
            Event::Returned => since = Some(entry.at),
            Event::Matched | Event::Lost { .. } | Event::Left | Event::Vanished | Event::Ended => {
                end(&mut since, entry.at);
            }
            _ => {}
        }
    }
    end(&mut since, known.end);
    waits
}
