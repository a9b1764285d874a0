//! A room comes to its end when it has to, whoever is left is told, and nothing of it stays.

use std::collections::HashSet;

use crate::{
    checker::Findings,
    disturbance::Part,
    history::{Event, Ms},
    known::{Known, Room},
    rooms::AT_ONCE,
};

/// Whoever is left is told that it is over in this time.
const TOLD: Ms = 5_000;
/// Somebody gone is removed after 30 s, and a sweep.
const REMOVED: Ms = 30_000 + 4_000;
/// And so much later when the gateway was killed or hung.
const OF_KILLED: Ms = 15_000;
/// How soon a room's messages are erased after its end.
const ERASED: Ms = 5_000;
/// What faults excuse at most of what was stored after the erasure.
const EXCUSED_AFTERWARDS: Ms = 8_000;
/// Who hung in this time may still store something.
const STALE: Ms = 45_000;
/// Somebody who is away for less than 30 s ends no conversation, without the time that noticing takes.
const AWAY: Ms = 29_000;

pub(crate) fn check(known: &Known<'_>, found: &mut Findings) {
    for (id, room) in &known.rooms {
        for_a_reason(known, id, room, found);
        for (user, _) in &room.members {
            ends_without(known, id, room, user, found);
            told_of_the_end(known, id, room, user, found);
        }
    }
    erased(known, found);
}

/// A conversation ends because somebody leaves it, or was away for too long; whatever is broken.
fn for_a_reason(known: &Known<'_>, id: &str, room: &Room, found: &mut Findings) {
    let users: Vec<&str> = room.members.iter().map(|(user, _)| user.as_str()).collect();
    // An old client does not learn whether the gateway has heard that it is back.
    let unsure = users.iter().any(|user| known.is_old(user) && known.connections(user).len() > 1);
    if unsure || !room.closed_known || room.started.is_none() {
        return;
    }
    found.judged("ends for a reason", room.closed);
    let left = users.iter().any(|user| known.left_before(user, room.closed + AT_ONCE));
    let there = |user: &&str| known.last_there(user, room.closed).is_some_and(|there| room.closed - there < AWAY);
    if !left && users.iter().all(there) {
        let what = format!("{id} ended, which nobody had left, and nobody had been away for long");
        found.broken(known, "ends for a reason", room.closed, &[&users[..], &[id]].concat(), what);
    }
}

/// A room ends when one of the two never comes back.
fn ends_without(known: &Known<'_>, id: &str, room: &Room, user: &str, found: &mut Findings) {
    let Some(gone) = known.last_there(user, known.end).filter(|gone| *gone < known.end) else { return };
    let gone = gone.max(room.opened);
    let lines = known.connections(user);
    let gateway = lines.last().map(|line| line.gateway());
    let calm = gateway.is_none_or(|gateway| known.faults.calm(&[gateway], gone - TOLD, gone + TOLD));
    let limit = if calm { REMOVED } else { REMOVED + OF_KILLED };
    if room.closed - gone > REMOVED - 2 * TOLD {
        found.judged("a room ends by itself", room.closed);
    }
    if known.faults.undisturbed(&[Part::Matcher], gone, room.closed) > limit {
        let what = format!("{user} was gone for {} ms and {id} was still open", room.closed - gone);
        found.broken(known, "nobody left alone", room.closed, &[user, id], what);
    }
}

/// Whoever is there when it ends, or comes back to it, is told.
fn told_of_the_end(known: &Known<'_>, id: &str, room: &Room, user: &str, found: &mut Findings) {
    if !room.closed_known || known.left_before(user, room.closed) || !heard_of(known, id, room, user) {
        return;
    }
    let told: Vec<Ms> = told(known, user, room).collect();
    for line in known.connections(user) {
        // An old client that comes back is told nothing of a room that is no more: it never asks.
        if known.is_old(user) && line.from >= room.closed {
            continue;
        }
        let from = line.from.max(room.closed);
        let undisturbed = |to: Ms| known.faults.undisturbed(&[Part::Matcher, line.gateway()], from, to);
        let told = told.iter().any(|at| *at <= line.to && undisturbed(*at) <= TOLD);
        // Whoever is told goes; whoever is not stays, and is seen.
        if !told && undisturbed(line.to) <= TOLD {
            continue;
        }
        found.judged("nobody left alone", room.closed);
        if !told {
            let what = format!("{user} was not told that {id} is over");
            found.broken(known, "nobody left alone", room.closed, &[user, id], what);
            return;
        }
    }
}

/// Whoever was never told of a room, because it was dissolved at once, waits as before, and has nothing to be told.
fn heard_of(known: &Known<'_>, id: &str, room: &Room, user: &str) -> bool {
    let of_this = |event: &Event| match event {
        Event::Matched => true,
        Event::Connected { room: Some(told), .. } => told == id,
        _ => false,
    };
    let time = room.opened - AT_ONCE..=room.closed + AT_ONCE;
    room.started.is_some() || known.of_user(user).iter().any(|entry| time.contains(&entry.at) && of_this(&entry.what))
}

/// When somebody was told that this room is over. An old client is told that the partner is gone, which may have
/// been long before.
fn told<'k>(known: &'k Known<'_>, user: &str, room: &'k Room) -> impl Iterator<Item = Ms> + use<'k> {
    let old = known.is_old(user);
    let over = move |event: &Event| match event {
        Event::Ended | Event::Leaving | Event::Left | Event::Returned | Event::Queued { .. } => true,
        Event::Connected { state, .. } => state != "room",
        // In the next room already.
        Event::Matched => true,
        Event::PartnerLost => old,
        _ => false,
    };
    let since = if old { room.opened } else { room.closed - AT_ONCE };
    let entries: Vec<Ms> = known
        .of_user(user)
        .iter()
        .filter(|entry| entry.at >= since && (!matches!(entry.what, Event::Matched) || entry.at > room.closed))
        .filter(|entry| over(&entry.what))
        .map(|entry| entry.at)
        .collect();
    entries.into_iter()
}

/// Nothing of a room is stored for long after its end.
fn erased(known: &Known<'_>, found: &mut Findings) {
    let parts = [Part::Matcher, Part::ChatStore];
    let mut late: HashSet<&str> = HashSet::new();
    for stored in &known.stored {
        let Some(room) = known.rooms.get(stored.room.as_str()).filter(|room| room.closed_known) else { continue };
        found.judged("erased at the end", room.closed);
        if let Some(erased) = stored.erased.filter(|erased| *erased < room.closed) {
            let what =
                format!("{} was erased {} ms before the end of {}", stored.nonce, room.closed - erased, stored.room);
            found.broken(known, "acknowledged is kept", erased, &[&stored.author, &stored.room], what);
        }
        let gone = stored.erased.unwrap_or(known.end);
        let since = room.closed.max(stored.at);
        let gone = gone.max(since);
        let stays = stored.too_late && gone - since > EXCUSED_AFTERWARDS + ERASED;
        if (stays || known.faults.undisturbed(&parts, since, gone) > ERASED) && late.insert(&stored.room) {
            let what = format!("messages of {} were there {} ms after its end", stored.room, gone - room.closed);
            found.broken(known, "erased at the end", room.closed, &[&stored.room], what);
        }
        // Whoever erases the room knows that it is over. Only a process or a server that hung may not know.
        if stored.too_late && known.faults.calm(&parts, stored.at - STALE, stored.at) {
            let what = format!("{} was stored in {} after that was erased", stored.nonce, stored.room);
            found.broken(known, "erased at the end", stored.at, &[&stored.room], what);
        }
    }
}
