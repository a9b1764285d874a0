//! The rules of rooms: no user is in two of them, the two of a room fit, and both are notified.

use std::collections::HashMap;

use super::{
    evidence::{AT_ONCE, Evidence, Room, disturbance::Part},
    findings::Findings,
};
use crate::{
    history::{Entry, Event, Ms},
    observe::change::Change,
};

/// Both of a pair are notified at once; a notification that was lost is repeated within 3 s and a match round.
const NOTIFIED: Ms = 7_000;

pub(crate) fn check(evidence: &Evidence<'_>, found: &mut Findings) {
    one_room(evidence, found);
    for (id, room) in &evidence.rooms {
        both_notified(evidence, id, room, found);
    }
    in_their_own_room(evidence, found);
}

/// No user is in two open rooms, and the two of a room fit.
fn one_room(evidence: &Evidence<'_>, found: &mut Findings) {
    let mut open: HashMap<&str, &str> = HashMap::new();
    for fact in evidence.facts {
        match &fact.what {
            Change::RoomOpened { room, members } => {
                found.judged("one open room", fact.at);
                for (user, _) in members {
                    if let Some(other) = open.insert(user, room) {
                        let what = format!("{user} is in {other} and in {room}");
                        found.broken(evidence, "one open room", fact.at, &[user, room, other], what);
                    }
                }
                if !fits(members) {
                    let what = format!("{room} has {members:?}");
                    found.broken(evidence, "one open room", fact.at, &[room], what);
                }
            }
            Change::RoomClosed { room } | Change::RoomDeleted { room } => open.retain(|_, other| other != room),
            _ => {}
        }
    }
}

fn fits(members: &[(String, String)]) -> bool {
    let [(first, one), (second, other)] = members else { return false };
    first != second && matches!((&**one, &**other), ("vent", "listen") | ("listen", "vent") | ("talk", "talk"))
}

/// A member who has a connection for long enough after the room was opened is notified in this time.
fn both_notified(evidence: &Evidence<'_>, id: &str, room: &Room, found: &mut Findings) {
    for (user, _) in &room.members {
        let notified: Vec<Ms> = evidence
            .of_user(user)
            .iter()
            .filter(|entry| entry.at >= room.opened - AT_ONCE && is_notified(&entry.what))
            .map(|entry| entry.at)
            .collect();
        for connection in evidence.connections(user) {
            let from = connection.from.max(room.opened);
            let undisturbed = |to: Ms| evidence.faults.undisturbed(&[Part::Matcher, connection.part()], from, to);
            let notified = notified.iter().any(|at| *at <= connection.to && undisturbed(*at) <= NOTIFIED);
            if !notified && undisturbed(connection.to.min(room.closed)) <= NOTIFIED {
                continue;
            }
            found.judged("both notified", room.opened);
            if !notified {
                let what = format!("{user} was not notified of {id}");
                found.broken(evidence, "both notified", room.opened, &[user, id], what);
                break;
            }
        }
    }
}

fn is_notified(event: &Event) -> bool {
    match event {
        Event::Matched => true,
        Event::Connected { state, .. } => state == "room" || state == "over",
        // A legacy client receives this when it comes back into its room.
        Event::PartnerConnected | Event::PartnerLost => true,
        _ => false,
    }
}

/// No user receives, sends or is notified of anything in a room of others.
fn in_their_own_room(evidence: &Evidence<'_>, found: &mut Findings) {
    for entry in evidence.entries {
        let Some(room) = room_in(entry) else { continue };
        found.judged("only in their own room", entry.at);
        if !evidence.rooms.get(room).is_some_and(|life| life.has(&entry.who)) {
            let what = format!("{} is no member of {room}", entry.who);
            found.broken(evidence, "only in their own room", entry.at, &[&entry.who, room], what);
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
