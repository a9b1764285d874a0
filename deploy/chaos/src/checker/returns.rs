//! A user who loses the connection and comes back: into the same conversation; and what the partner is notified of.

use super::{
    evidence::{AT_ONCE, Connection, Evidence, Room, disturbance::Part},
    findings::Findings,
};
use crate::history::{Event, Ms};

/// Who is back in this time is in the same conversation: 30 s, without the time that noticing and connecting take.
const BACK_IN_TIME: Ms = 29_000;
/// How soon a partner is notified that a connection is lost, or back: at once.
const NOTIFIED: Ms = 3_000;
/// After a drain no partner is notified of a user who is back in this time: 5 s, without the time that connecting takes.
const UNNOTICED: Ms = 4_000;
/// So long after a drain the partner would have been notified: 5 s, and a sweep.
const NOTICED: Ms = 8_000;

pub(crate) fn check(evidence: &Evidence<'_>, found: &mut Findings) {
    for (name, user) in &evidence.users {
        for (place, lost) in user.connections.iter().enumerate() {
            let next = user.connections.get(place + 1);
            let change = Change { user: name, lost, next };
            if let Some(next) = next {
                back_in_the_room(evidence, name, lost, next, found);
            }
            if let Some((id, room)) = conversation(evidence, name, lost.noticed()) {
                partner_notified(evidence, &change, (id, room), found);
                drain_unnoticed(evidence, &change, (id, room), found);
            }
        }
        no_false_loss(evidence, name, found);
    }
}

/// A user whose connection is lost, and the one that follows.
struct Change<'a> {
    user: &'a str,
    lost: &'a Connection,
    next: Option<&'a Connection>,
}

/// The room of a user whose conversation had started by this time.
fn conversation<'k>(evidence: &'k Evidence<'_>, user: &str, at: Ms) -> Option<(&'k str, &'k Room)> {
    evidence.room_of(user, at).filter(|(_, room)| room.started.is_some_and(|started| started < at))
}

/// Nothing excuses it but the end of the room, for a reason: a member left, or the partner was away for too long.
fn back_in_the_room(evidence: &Evidence<'_>, user: &str, lost: &Connection, back: &Connection, found: &mut Findings) {
    // A second tab is opened while the first one is still there.
    let lost_at = lost.to.min(back.connecting);
    let Some((id, room)) = conversation(evidence, user, lost_at).filter(|_| back.last_seq.is_some()) else { return };
    if back.from - lost_at > BACK_IN_TIME {
        return;
    }
    found.judged("back in the room", back.from);
    let ended = room.closed <= back.from && {
        let partner = room.partner_of(user).unwrap_or_default();
        let left = [user, partner].iter().any(|member| evidence.left_before(member, room, room.closed + AT_ONCE));
        let connected = evidence.surely_connected(partner, room.closed).unwrap_or(Ms::MIN / 2);
        left || room.closed - connected > BACK_IN_TIME
    };
    if back.state != "room" && !ended {
        let what = format!("{user} was back after {} ms, and not in {id}", back.from - lost_at);
        found.broken(evidence, "back in the room", back.from, &[user, id], what);
    }
}

/// Whether the partner was last notified that the user is connected, at this time.
fn assumes_connected(evidence: &Evidence<'_>, partner: &str, at: Ms) -> bool {
    let notified = evidence.of_user(partner).iter().rfind(|entry| {
        entry.at <= at
            && matches!(
                entry.what,
                Event::PartnerLost | Event::PartnerConnected | Event::RoomEnded | Event::QueueRequested
            )
    });
    !notified.is_some_and(|notified| notified.what == Event::PartnerLost)
}

/// The partner who is connected is notified of the loss, and of the return.
fn partner_notified(evidence: &Evidence<'_>, change: &Change<'_>, (id, room): (&str, &Room), found: &mut Findings) {
    let Change { user, lost, next } = change;
    let Some(partner) = room.partner_of(user) else { return };
    let judged = |from: Ms| {
        let there = evidence.throughout(partner, from - NOTIFIED, from + NOTIFIED)?;
        let parts = [Part::Matcher, there.part(), lost.part()];
        let calm = evidence.faults.calm(&parts, from - NOTIFIED, from + NOTIFIED) && from + NOTIFIED < room.closed;
        (calm && from + NOTIFIED < evidence.end).then_some(())
    };
    let noticed = lost.noticed();
    if judged(noticed).is_some() && next.is_none_or(|next| next.connecting > noticed + NOTIFIED) {
        found.judged(if lost.silent { "partner notified of silence" } else { "partner notified of a loss" }, noticed);
        if assumes_connected(evidence, partner, noticed + NOTIFIED) {
            let what = format!("{partner} was not notified that {user} was disconnected from {id}");
            found.broken(evidence, "partner notified", noticed, &[user, partner, id], what);
        }
    }
    let Some(next) = next.filter(|next| next.to > next.from + NOTIFIED && next.state == "room") else { return };
    let quiet = evidence.faults.calm(&[next.part()], next.from - NOTIFIED, next.from + NOTIFIED);
    if judged(next.from).is_some() && quiet {
        found.judged("partner notified of a return", next.from);
        if !assumes_connected(evidence, partner, next.from + NOTIFIED) {
            let what = format!("{partner} was not notified that {user} was back in {id}");
            found.broken(evidence, "partner notified", next.from, &[user, partner, id], what);
        }
    }
}

/// No partner is notified of the loss of a user who is connected: when an older tab is closed, or an older connection
/// is found to be dead.
fn no_false_loss(evidence: &Evidence<'_>, user: &str, found: &mut Findings) {
    for older in evidence.connections(user) {
        let at = older.found_dead();
        let now = evidence.throughout(user, at - NOTIFIED, at).filter(|now| now.number != older.number);
        if now.is_some() && conversation(evidence, user, at).is_some() {
            found.judged("no false loss", at);
        }
    }
    // What this user was notified of is about the partner.
    for entry in evidence.of_user(user).iter().filter(|entry| entry.what == Event::PartnerLost) {
        let Some((id, room)) = conversation(evidence, user, entry.at) else { continue };
        let partner = room.partner_of(user).unwrap_or_default();
        let from = entry.at - NOTIFIED;
        let (Some(there), Some(here)) =
            (evidence.throughout(partner, from, entry.at), evidence.throughout(user, from, entry.at))
        else {
            continue;
        };
        let calm = evidence.faults.calm(&[Part::Matcher, there.part(), here.part()], from, entry.at);
        if calm && room.closed > entry.at + AT_ONCE {
            let what = format!("{user} was notified that {partner} was disconnected, who was connected to {id}");
            found.broken(evidence, "no false loss", entry.at, &[user, partner, id], what);
        }
    }
}

/// A user whose gateway is drained and who is back in time was never gone, for the partner.
fn drain_unnoticed(evidence: &Evidence<'_>, change: &Change<'_>, (id, room): (&str, &Room), found: &mut Findings) {
    let Change { user, lost, next } = change;
    let drain = evidence.faults.all().iter().find(|fault| {
        let planned = fault.fault == "drain-gateway" || fault.fault == "rolling-restart";
        planned && fault.part == lost.part() && (fault.started..=fault.ended).contains(&lost.to)
    });
    let next = next.filter(|next| next.from >= lost.to);
    let (Some(_), Some(next), Some(partner)) = (drain, next, room.partner_of(user)) else { return };
    let (from, to) = (lost.to - AT_ONCE, next.from + AT_ONCE);
    let there = evidence.throughout(partner, from, to).filter(|there| there.gateway != lost.gateway);
    let Some(there) = there else { return };
    let in_time = next.from - lost.to < UNNOTICED && lost.from < lost.to - NOTIFIED && next.state == "room";
    let calm = evidence.faults.calm(&[Part::Matcher, there.part()], from - NOTIFIED, to);
    if !in_time || !calm || !lost.by_gateway {
        return;
    }
    found.judged("drain unnoticed", lost.to);
    // Nor when the time is over, if nothing else has happened to the two.
    let later = (lost.to + NOTICED).min(next.to - AT_ONCE).max(to);
    let parts = [Part::Matcher, there.part(), next.part()];
    let to = if there.to > later && evidence.faults.calm(&parts, to, later) { later } else { to };
    let mut lost_by_partner = evidence.of_user(partner).iter().filter(|entry| entry.what == Event::PartnerLost);
    if let Some(notified) = lost_by_partner.find(|entry| (from..=to).contains(&entry.at)) {
        let what = format!("{partner} was notified that {user} was gone from {id}, whose gateway was drained");
        found.broken(evidence, "drain unnoticed", notified.at, &[user, partner, id], what);
    }
}
