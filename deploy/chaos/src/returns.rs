//! Who loses the connection and comes back: into the same conversation; and what the partner hears of it.

use crate::{
    checker::Findings,
    disturbance::Part,
    history::{Event, Ms},
    known::{Known, Room},
    rooms::{AT_ONCE, throughout},
    somebody::Connection,
};

/// Whoever is back in this time is in the same conversation: 30 s, without the time that noticing and coming take.
const BACK_IN_TIME: Ms = 29_000;
/// How soon a partner hears that a connection is lost, or back: at once.
const HEARS: Ms = 3_000;
/// After a drain nobody hears of it whose partner is back in this time: 5 s, without the time that coming takes.
const UNNOTICED: Ms = 4_000;
/// So long after a drain the partner would have heard of it: 5 s, and a sweep.
const NOTICED: Ms = 8_000;

pub(crate) fn check(known: &Known<'_>, found: &mut Findings) {
    for (user, somebody) in &known.people {
        not_silenced(known, user, found);
        for (place, line) in somebody.connections.iter().enumerate() {
            let next = somebody.connections.get(place + 1);
            if let Some(next) = next {
                back_in_the_room(known, user, line, next, found);
            }
            if let Some((id, room)) = conversation(known, user, line.to) {
                partner_hears(known, user, (id, room), line, next, found);
                drained_unnoticed(known, user, (id, room), line, next, found);
            }
        }
    }
}

/// Nobody here has two pages open: the connection that they have is the newest, whatever older attempts come to.
fn not_silenced(known: &Known<'_>, user: &str, found: &mut Findings) {
    for entry in known.of_user(user).iter().filter(|entry| entry.what == Event::Replaced) {
        let what = format!("{user} was told that a newer connection speaks for them, and has none");
        found.broken(known, "the newest connection counts", entry.at, &[user], what);
    }
}

/// The room of somebody whose conversation has started by this time.
fn conversation<'k>(known: &'k Known<'_>, user: &str, at: Ms) -> Option<(&'k str, &'k Room)> {
    known.room_of(user, at).filter(|(_, room)| room.started.is_some_and(|started| started < at))
}

/// Nothing excuses it but the end of the room, for a reason: somebody left, or the partner was away for too long.
fn back_in_the_room(known: &Known<'_>, user: &str, lost: &Connection, back: &Connection, found: &mut Findings) {
    let Some((id, room)) = conversation(known, user, lost.to).filter(|_| back.last_seq.is_some()) else { return };
    if back.from - lost.to > BACK_IN_TIME {
        return;
    }
    found.judged("back in the room", back.from);
    let ended = room.closed <= back.from && {
        let partner = room.partner_of(user).unwrap_or_default();
        let left = [user, partner].iter().any(|member| known.left_before(member, room.closed + AT_ONCE));
        let there = known.last_there(partner, room.closed).unwrap_or(Ms::MIN / 2);
        left || room.closed - there > BACK_IN_TIME
    };
    if back.state != "room" && !ended {
        let what = format!("{user} was back after {} ms, and not in {id}", back.from - lost.to);
        found.broken(known, "back in the room", back.from, &[user, id], what);
    }
}

/// Whether the partner thinks that they are there, at this time.
fn thinks_there(known: &Known<'_>, partner: &str, at: Ms) -> bool {
    let told = known
        .of_user(partner)
        .iter()
        .rfind(|entry| entry.at <= at && matches!(entry.what, Event::PartnerLost | Event::PartnerHere | Event::Ended));
    !told.is_some_and(|told| told.what == Event::PartnerLost)
}

/// The partner who is there hears of the loss, and of the return.
fn partner_hears(
    known: &Known<'_>,
    user: &str,
    (id, room): (&str, &Room),
    line: &Connection,
    next: Option<&Connection>,
    found: &mut Findings,
) {
    let Some(partner) = room.partner_of(user) else { return };
    let judged = |from: Ms| {
        let there = throughout(known, partner, from - HEARS, from + HEARS)?;
        let parts = [Part::Matcher, there.gateway(), line.gateway()];
        let calm = known.faults.calm(&parts, from - HEARS, from + HEARS) && from + HEARS < room.closed;
        (calm && from + HEARS < known.end).then_some(())
    };
    if judged(line.to).is_some() && next.is_none_or(|next| next.coming > line.to + HEARS) {
        found.judged("the partner hears of a loss", line.to);
        if thinks_there(known, partner, line.to + HEARS) {
            let what = format!("{partner} did not hear that {user} was gone from {id}");
            found.broken(known, "the partner hears", line.to, &[user, partner, id], what);
        }
    }
    let Some(next) = next.filter(|next| next.to > next.from + HEARS && next.state == "room") else { return };
    if judged(next.from).is_some() && known.faults.calm(&[next.gateway()], next.from - HEARS, next.from + HEARS) {
        found.judged("the partner hears of a return", next.from);
        if !thinks_there(known, partner, next.from + HEARS) {
            let what = format!("{partner} did not hear that {user} was back in {id}");
            found.broken(known, "the partner hears", next.from, &[user, partner, id], what);
        }
    }
}

/// Whose gateway is drained and who is back in time was never gone, for the partner.
fn drained_unnoticed(
    known: &Known<'_>,
    user: &str,
    (id, room): (&str, &Room),
    line: &Connection,
    next: Option<&Connection>,
    found: &mut Findings,
) {
    let drain = known.faults.all().iter().find(|fault| {
        let planned = fault.fault == "drain-gateway" || fault.fault == "rolling-restart";
        planned && fault.part == line.gateway() && (fault.began..=fault.over).contains(&line.to)
    });
    let (Some(_), Some(next), Some(partner)) = (drain, next, room.partner_of(user)) else { return };
    let (from, to) = (line.to - AT_ONCE, next.from + AT_ONCE);
    let Some(there) = throughout(known, partner, from, to).filter(|there| there.gateway() != line.gateway()) else {
        return;
    };
    let in_time = next.from - line.to < UNNOTICED && line.from < line.to - HEARS && next.state == "room";
    let calm = known.faults.calm(&[Part::Matcher, there.gateway()], from - HEARS, to);
    if !in_time || !calm || !by_the_server(known, user, line) {
        return;
    }
    found.judged("a drain is not noticed", line.to);
    // Nor when the time is over, if nothing else has happened to the two.
    let later = (line.to + NOTICED).min(next.to - AT_ONCE).max(to);
    let parts = [Part::Matcher, there.gateway(), next.gateway()];
    let to = if there.to > later && known.faults.calm(&parts, to, later) { later } else { to };
    let told =
        known.of_user(partner).iter().find(|entry| entry.what == Event::PartnerLost && (from..=to).contains(&entry.at));
    if let Some(told) = told {
        let what = format!("{partner} heard that {user} was gone from {id}, whose gateway was drained");
        found.broken(known, "a drain is not noticed", told.at, &[user, partner, id], what);
    }
}

fn by_the_server(known: &Known<'_>, user: &str, line: &Connection) -> bool {
    let lost = |event: &Event| matches!(event, Event::Lost { connection, cut: false } if *connection == line.number);
    known.of_user(user).iter().any(|entry| lost(&entry.what))
}
