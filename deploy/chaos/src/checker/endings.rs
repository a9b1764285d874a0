//! A room ends when it has to and for a reason, who is left is notified, and nothing of it stays.

use std::collections::HashSet;

use super::{
    evidence::{AT_ONCE, Evidence, Room, disturbance::Part},
    findings::Findings,
};
use crate::history::{Event, Ms};

/// Who is left is notified in this time.
const NOTIFIED: Ms = 5_000;
/// A user without a connection is removed after 30 s, and a sweep.
const REMOVED: Ms = 30_000 + 4_000;
/// And so much later when the gateway was killed or hung.
const OF_KILLED: Ms = 15_000;
/// How soon a room's messages are erased after its end.
const ERASED: Ms = 5_000;
/// What faults excuse at most of what was stored after the erasure.
const EXCUSED_AFTERWARDS: Ms = 8_000;
/// A process that hung in this time may still store something.
const STALE: Ms = 45_000;
/// A user who is away for less than 30 s ends no conversation, without the time that noticing takes.
const AWAY: Ms = 29_000;

pub(crate) fn check(evidence: &Evidence<'_>, found: &mut Findings) {
    for (id, room) in &evidence.rooms {
        for_a_reason(evidence, id, room, found);
        for (user, _) in &room.members {
            ends_without(evidence, id, room, user, found);
            notified_of_the_end(evidence, id, room, user, found);
        }
    }
    erased(evidence, found);
}

/// A conversation ends because a member leaves it, or was away for too long; whatever is broken.
fn for_a_reason(evidence: &Evidence<'_>, id: &str, room: &Room, found: &mut Findings) {
    let users: Vec<&str> = room.members.iter().map(|(user, _)| user.as_str()).collect();
    // A legacy client does not learn whether the gateway has received that it is back.
    let unsure = users.iter().any(|user| evidence.is_legacy(user) && evidence.connections(user).len() > 1);
    if unsure || !room.closed_known || room.started.is_none() {
        return;
    }
    found.judged("ends for a reason", room.closed);
    let left = users.iter().any(|user| evidence.left_before(user, room, room.closed + AT_ONCE));
    let there = |user: &&str| {
        let connected = evidence.surely_connected(user, room.closed);
        connected.is_some_and(|connected| room.closed - connected < AWAY)
    };
    if !left && users.iter().all(there) {
        let what = format!("{id} ended, which no member had left, and none had been away for long");
        found.broken(evidence, "ends for a reason", room.closed, &[&users[..], &[id]].concat(), what);
    }
}

/// A room ends when one of the two does not come back.
fn ends_without(evidence: &Evidence<'_>, id: &str, room: &Room, user: &str, found: &mut Findings) {
    let Some(gone) = evidence.last_connected(user, room.closed) else { return };
    let gone = gone.max(room.opened);
    let connection = evidence.users.get(user).and_then(|user| user.newest(gone));
    let gateway = connection.map(|connection| connection.part());
    let calm = gateway.is_none_or(|gateway| evidence.faults.calm(&[gateway], gone - NOTIFIED, gone + NOTIFIED));
    let limit = if calm { REMOVED } else { REMOVED + OF_KILLED };
    if room.closed - gone > REMOVED - 2 * NOTIFIED {
        found.judged("a room ends by itself", room.closed);
    }
    if evidence.faults.undisturbed(&[Part::Matcher], gone, room.closed) > limit {
        let what = format!("{user} was gone for {} ms and {id} was still open", room.closed - gone);
        found.broken(evidence, "nobody left alone", room.closed, &[user, id], what);
    }
}

/// Who is connected when it ends, or comes back to it, is notified.
fn notified_of_the_end(evidence: &Evidence<'_>, id: &str, room: &Room, user: &str, found: &mut Findings) {
    if !room.closed_known || evidence.left_before(user, room, room.closed) || !knew_of(evidence, id, room, user) {
        return;
    }
    let notified: Vec<Ms> = notified(evidence, user, room);
    for connection in evidence.connections(user) {
        // A legacy client that comes back receives nothing of a room that is no more: it never asks.
        if evidence.is_legacy(user) && connection.from >= room.closed {
            continue;
        }
        let from = connection.from.max(room.closed);
        let undisturbed = |to: Ms| evidence.faults.undisturbed(&[Part::Matcher, connection.part()], from, to);
        let notified = notified.iter().any(|at| *at <= connection.to && undisturbed(*at) <= NOTIFIED);
        if !notified && undisturbed(connection.to) <= NOTIFIED {
            continue;
        }
        found.judged("nobody left alone", room.closed);
        if !notified {
            let what = format!("{user} was not notified that {id} is over");
            found.broken(evidence, "nobody left alone", room.closed, &[user, id], what);
            return;
        }
    }
}

/// Who was never notified of a room, because it was dissolved at once, waits as before.
fn knew_of(evidence: &Evidence<'_>, id: &str, room: &Room, user: &str) -> bool {
    let of_this = |event: &Event| match event {
        Event::Matched => true,
        Event::Connected { room: Some(room), .. } => room == id,
        _ => false,
    };
    let time = room.opened - AT_ONCE..=room.closed + AT_ONCE;
    room.started.is_some()
        || evidence.of_user(user).iter().any(|entry| time.contains(&entry.at) && of_this(&entry.what))
}

/// When a user was notified that this room is over. A legacy client is notified that the partner is gone, which may have
/// been long before.
fn notified(evidence: &Evidence<'_>, user: &str, room: &Room) -> Vec<Ms> {
    let legacy = evidence.is_legacy(user);
    let over = move |event: &Event| match event {
        Event::RoomEnded | Event::Leaving | Event::Left | Event::Requeued | Event::Queued { .. } => true,
        Event::Connected { state, .. } => state != "room",
        // In the next room already.
        Event::Matched => true,
        Event::PartnerLost => legacy,
        _ => false,
    };
    let since = if legacy { room.opened } else { room.closed - AT_ONCE };
    evidence
        .of_user(user)
        .iter()
        .filter(|entry| entry.at >= since && (!matches!(entry.what, Event::Matched) || entry.at > room.closed))
        .filter(|entry| over(&entry.what))
        .map(|entry| entry.at)
        .collect()
}

/// Nothing of a room is stored for long after its end.
fn erased(evidence: &Evidence<'_>, found: &mut Findings) {
    let parts = [Part::Matcher, Part::ChatStore];
    let mut late: HashSet<&str> = HashSet::new();
    for stored in &evidence.stored {
        let Some(room) = evidence.rooms.get(stored.room.as_str()).filter(|room| room.closed_known) else { continue };
        found.judged("erased at the end", room.closed);
        if let Some(erased) = stored.erased.filter(|erased| *erased < room.closed) {
            let what =
                format!("{} was erased {} ms before the end of {}", stored.nonce, room.closed - erased, stored.room);
            found.broken(evidence, "acknowledged is stored", erased, &[&stored.author, &stored.room], what);
        }
        let gone = stored.erased.unwrap_or(evidence.end);
        let since = room.closed.max(stored.at);
        let gone = gone.max(since);
        let stays = stored.too_late && gone - since > EXCUSED_AFTERWARDS + ERASED;
        if (stays || evidence.faults.undisturbed(&parts, since, gone) > ERASED) && late.insert(&stored.room) {
            let what = format!("messages of {} were there {} ms after its end", stored.room, gone - room.closed);
            found.broken(evidence, "erased at the end", room.closed, &[&stored.room], what);
        }
        // A process that stores a message reads that the room is over. Only one that hung, or a server, may not.
        if stored.too_late && evidence.faults.calm(&parts, stored.at - STALE, stored.at) {
            let what = format!("{} was stored in {} after that was erased", stored.nonce, stored.room);
            found.broken(evidence, "erased at the end", stored.at, &[&stored.room], what);
        }
    }
}
