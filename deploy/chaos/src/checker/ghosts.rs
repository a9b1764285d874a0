//! Nobody is offered as a partner who had been gone for longer than promised.

use crate::{
    checker::Findings,
    disturbance::Part,
    history::{Event, Ms},
    known::{Known, Room},
};

/// Somebody whose loss the gateway saw is not offered any more: at once, and a tick that has begun.
const GHOST: Ms = 2_000;
/// Somebody whom MongoDB has as gone is not offered any more, by a tick that begins now.
const KNOWN: Ms = 500;
/// Somebody whose gateway was killed or hangs is not offered any more.
const GHOST_OF_KILLED: Ms = 15_000;
/// Somebody who waits and does not come back is removed.
const REMOVED: Ms = 30_000;

pub(crate) fn check(known: &Known<'_>, found: &mut Findings) {
    for (id, room) in &known.rooms {
        for (user, _) in &room.members {
            no_ghost(known, id, room, user, found);
            nobody_known_to_be_gone(known, id, room, user, found);
        }
    }
    offers(known, found);
}

fn no_ghost(known: &Known<'_>, id: &str, room: &Room, user: &str, found: &mut Findings) {
    let Some(there) = known.last_there(user, room.opened) else {
        let what = format!("{user} had never been there when matched in {id}");
        return found.broken(known, "no ghost offered", room.opened, &[user, id], what);
    };
    let limit = limit(known, user, there, room.opened);
    let gone = room.opened - there;
    if gone > limit && known.faults.undisturbed(&[Part::Matcher], there, room.opened) > limit {
        let what = format!("{user} had been gone for {gone} ms when matched in {id}");
        found.broken(known, "no ghost offered", room.opened, &[user, id], what);
    }
}

/// Whom MongoDB has as gone can only be offered by a matcher that had read otherwise, and stood still since.
fn nobody_known_to_be_gone(known: &Known<'_>, id: &str, room: &Room, user: &str, found: &mut Findings) {
    let Some(since) = known.absent_since(user, room.opened - KNOWN) else { return };
    let still = known.absent_since(user, room.opened).is_some();
    if still && known.faults.calm(&[Part::Matcher], room.opened - GHOST, room.opened) {
        let what = format!("{user} was matched in {id}, known to be gone for {} ms", room.opened - since);
        found.broken(known, "no ghost offered", room.opened, &[user, id], what);
    }
}

/// How long somebody may be offered who has been gone since then, when nothing but their gateway is broken.
fn limit(known: &Known<'_>, user: &str, gone: Ms, until: Ms) -> Ms {
    let line = known.connections(user).iter().rfind(|line| line.coming <= gone);
    let gateway = line.map(|line| line.gateway());
    let mut faults = known.faults.all().iter().filter(|fact| Some(fact.part) == gateway);
    // A gateway that is killed before it has told of a loss counts as killed.
    let broken = faults.any(|fault| fault.began <= (gone + GHOST).min(until) && fault.over >= gone - GHOST);
    if broken { GHOST_OF_KILLED } else { GHOST }
}

/// Who was gone while they waited, while others were matched: each could have been offered.
fn offers(known: &Known<'_>, found: &mut Findings) {
    let mut opened: Vec<Ms> = known.rooms.values().map(|room| room.opened).collect();
    opened.sort_unstable();
    for (user, somebody) in &known.people {
        let mut waiting = false;
        for entry in &somebody.entries {
            match &entry.what {
                Event::Queued { .. } | Event::Returned => waiting = true,
                Event::Connected { state, .. } if state == "waiting" => waiting = true,
                Event::Matched | Event::Connected { .. } | Event::Leaving => waiting = false,
                Event::Lost { .. } if waiting => {
                    let limit = limit(known, user, entry.at, entry.at + GHOST);
                    let back = somebody.entries.iter().find(|next| next.at > entry.at && next.what == Event::Coming);
                    let until = back.map_or(Ms::MAX, |back| back.at).min(entry.at + REMOVED);
                    let next = opened.partition_point(|opened| *opened <= entry.at + limit);
                    if opened.get(next).is_some_and(|opened| *opened < until) {
                        found.judged("no ghost offered", entry.at);
                        if limit == GHOST_OF_KILLED {
                            found.judged("no ghost of a killed gateway", entry.at);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}
