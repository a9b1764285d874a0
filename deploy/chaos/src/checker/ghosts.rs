//! No ghost is matched: a user whose connection has been gone for longer than promised. And none stays.

use super::{
    evidence::{Evidence, Room, disturbance::Part},
    findings::Findings,
};
use crate::{
    faults::Fault,
    history::{Event, Ms},
};

/// A user whose loss the gateway saw is not matched any more: at once, and a match round that has started.
const GHOST: Ms = 2_000;
/// A user whom MongoDB has as disconnected is not matched any more, by a match round that starts now.
const KNOWN: Ms = 500;
/// A user whose gateway was killed or hangs is not matched any more.
const GHOST_OF_KILLED: Ms = 15_000;
/// A user without a connection is removed.
const REMOVED: Ms = 30_000;
/// The sweep that removes them, and the state that a document keeps until then.
const SWEPT: Ms = 4_000;
/// The faults that may lose an event for good.
const LOSING: [Fault; 2] = [Fault::RestartNats, Fault::OutageNats];
/// A ghost stays for no longer, whatever was lost.
const MINUTE: Ms = 60_000;

pub(crate) fn check(evidence: &Evidence<'_>, found: &mut Findings) {
    for (id, room) in &evidence.rooms {
        for (user, _) in &room.members {
            no_ghost_matched(evidence, id, room, user, found);
            no_disconnected_user_matched(evidence, id, room, user, found);
        }
    }
    for user in evidence.users.keys() {
        no_ghost_stays(evidence, user, found);
        chances(evidence, user, found);
    }
    no_orphans_in_calm(evidence, found);
}

fn no_ghost_matched(evidence: &Evidence<'_>, id: &str, room: &Room, user: &str, found: &mut Findings) {
    let Some(connected) = evidence.last_connected(user, room.opened) else {
        let what = format!("{user} had never been connected when matched in {id}");
        return found.broken(evidence, "no ghost matched", room.opened, &[user, id], what);
    };
    let limit = limit(evidence, user, connected, room.opened);
    let gone = room.opened - connected;
    if gone > limit && evidence.faults.undisturbed(&[Part::Matcher], connected, room.opened) > limit {
        let what = format!("{user} had been gone for {gone} ms when matched in {id}");
        found.broken(evidence, "no ghost matched", room.opened, &[user, id], what);
    }
}

/// A user whom MongoDB has as disconnected can only be matched by a matcher that had read otherwise, and stood still.
fn no_disconnected_user_matched(evidence: &Evidence<'_>, id: &str, room: &Room, user: &str, found: &mut Findings) {
    let Some(since) = evidence.documents.absent_since(user, room.opened - KNOWN) else { return };
    let still = evidence.documents.absent_since(user, room.opened).is_some();
    if still && evidence.faults.calm(&[Part::Matcher], room.opened - GHOST, room.opened) {
        let what = format!("{user} was matched in {id}, known to be gone for {} ms", room.opened - since);
        found.broken(evidence, "no ghost matched", room.opened, &[user, id], what);
    }
}

/// For how long a user may be matched who has been gone since then, when nothing but their gateway is broken.
fn limit(evidence: &Evidence<'_>, user: &str, gone: Ms, until: Ms) -> Ms {
    let connection = evidence.users.get(user).and_then(|user| user.newest(gone));
    // A gateway that is killed before it has published a loss counts as killed.
    let broken = connection
        .is_some_and(|connection| evidence.faults.any_of(connection.part(), gone - GHOST, (gone + GHOST).min(until)));
    if broken { GHOST_OF_KILLED } else { GHOST }
}

/// No document has a user who is gone as waiting or in a room for long, whether anybody meets them or not.
fn no_ghost_stays(evidence: &Evidence<'_>, user: &str, found: &mut Findings) {
    for (from, to, state) in evidence.documents.engaged(user, evidence.end) {
        let Some(connected) = evidence.last_connected(user, to) else { continue };
        let gone = connected.max(from);
        let killed = limit(evidence, user, gone, to) == GHOST_OF_KILLED;
        let limit = REMOVED + SWEPT + if killed { GHOST_OF_KILLED } else { 0 };
        if to - gone > REMOVED {
            found.judged("no ghost stays", to);
        }
        if evidence.faults.undisturbed(&[Part::Matcher], gone, to) > limit.min(MINUTE) {
            let what = format!("{user} was {state} for {} ms after the connection was gone", to - gone);
            found.broken(evidence, "no ghost stays", to, &[user], what);
        }
    }
}

/// A connection that reconciliation had to close is an event that was lost. Only a NATS that was killed as a whole may
/// lose one: a command that waits for MongoDB or for a leader is late, not lost, and a killed gateway has its lease.
fn no_orphans_in_calm(evidence: &Evidence<'_>, found: &mut Findings) {
    for entry in evidence.entries {
        let Event::OrphansRemoved { count } = entry.what else { continue };
        found.judged("no event lost", entry.at);
        let mut losing =
            evidence.faults.all().iter().filter(|fault| LOSING.iter().any(|one| one.name() == fault.fault));
        if !losing.any(|fault| fault.started <= entry.at && fault.ended >= entry.at - MINUTE) {
            let what = format!("reconciliation of {} closed {count} connections that nobody served", entry.who);
            found.broken(evidence, "no event lost", entry.at, &[], what);
        }
    }
}

/// A user who was gone while waiting, while others were matched: each time a ghost could have been matched.
fn chances(evidence: &Evidence<'_>, user: &str, found: &mut Findings) {
    let mut waiting = false;
    for entry in evidence.of_user(user) {
        match &entry.what {
            Event::Queued { .. } | Event::Requeued => waiting = true,
            Event::Connected { state, .. } if state == "waiting" => waiting = true,
            Event::Matched | Event::Connected { .. } | Event::Leaving => waiting = false,
            Event::Disconnected { .. } if waiting => {
                let limit = limit(evidence, user, entry.at, entry.at + GHOST);
                let entries = evidence.of_user(user).iter();
                let mut back = entries.filter(|next| next.at > entry.at && next.what == Event::Connecting);
                let until = back.next().map_or(Ms::MAX, |back| back.at).min(entry.at + REMOVED);
                if evidence.rooms.values().any(|room| (entry.at + limit + 1..until).contains(&room.opened)) {
                    found.judged("no ghost matched", entry.at);
                    if limit == GHOST_OF_KILLED {
                        found.judged("no ghost of a killed gateway", entry.at);
                    }
                }
            }
            _ => {}
        }
    }
}
