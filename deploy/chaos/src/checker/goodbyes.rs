//! A user who has left is gone: in no queue, in no room, and never matched again, until they queue again.
//!
//! A fault was missed here for long: two users who both left at the moment of their match, before either had entered. One
//! of them stayed in the queue, connected as the matcher had it, and was matched with every newcomer. No rule saw it, for
//! three reasons. No simulated user left between `queue_complete` and entering the room, so that it never happened. The
//! rules looked at users whose connection was gone at the moment of a match alone, so that a ghost that meets nobody
//! breaks none of them. And what it leaves behind is removed when its gateway ends, which one of the next faults sees to,
//! so that nothing was left at the end. So some leave now at that moment (`traffic::habits`), and what counts is the
//! document in MongoDB, from the goodbye on, whether anybody meets that user or not.

use super::{
    evidence::{AT_ONCE, Evidence, Goodbye, Room, disturbance::Part},
    findings::Findings,
};
use crate::history::{Event, Ms};

/// A match round that has read who waits may still insert the room; binding the user to it fails.
const ROUND: Ms = 2_000;
/// How soon no document has a user who left as waiting or in a room: promise 7.
const FORGOTTEN: Ms = 5_000;
/// A goodbye that the gateway took with it when it was killed is a lost connection: the lease, the 30 s, and a sweep.
const GOODBYE_LOST: Ms = 15_000 + 30_000 + 4_000;
/// Who leaves so soon after the match leaves at the moment of the match.
const MOMENT: Ms = 1_500;

pub(crate) fn check(evidence: &Evidence<'_>, found: &mut Findings) {
    for (name, user) in &evidence.users {
        for goodbye in &user.goodbyes {
            found.judged("who left is gone", goodbye.at);
            never_matched(evidence, name, goodbye, found);
            soon_forgotten(evidence, name, goodbye, found);
            if goodbye.acknowledged {
                never_engaged(evidence, name, goodbye, found);
            }
        }
    }
    for room in evidence.rooms.values() {
        moments(evidence, room, found);
    }
}

/// In no room that is opened afterwards.
fn never_matched(evidence: &Evidence<'_>, user: &str, goodbye: &Goodbye, found: &mut Findings) {
    for (id, room) in evidence.rooms.iter().filter(|(_, room)| room.has(user)) {
        if !(goodbye.at..goodbye.until).contains(&room.opened) {
            continue;
        }
        let parts = [Part::Matcher, goodbye.gateway];
        if evidence.faults.undisturbed(&parts, goodbye.at, room.opened) > allowed(evidence, goodbye, ROUND) {
            let what = format!("{user} was matched in {id} {} ms after leaving", room.opened - goodbye.at);
            found.broken(evidence, "who left is gone", room.opened, &[user, id], what);
        }
    }
}

/// No document has the user as waiting or in a room for long.
fn soon_forgotten(evidence: &Evidence<'_>, user: &str, goodbye: &Goodbye, found: &mut Findings) {
    for (from, to, _) in evidence.documents.engaged(user, evidence.end) {
        let (from, to) = (from.max(goodbye.at), to.min(goodbye.until));
        let parts = [Part::Matcher, goodbye.gateway];
        if evidence.faults.undisturbed(&parts, from, to) > allowed(evidence, goodbye, FORGOTTEN) {
            let state = evidence.documents.state_at(user, from).unwrap_or_default();
            let what = format!("{user} was {state} for {} ms after leaving", to - from);
            found.broken(evidence, "who left is gone", from, &[user], what);
        }
    }
}

/// After an acknowledgement nothing brings the user back, whatever is broken.
fn never_engaged(evidence: &Evidence<'_>, user: &str, goodbye: &Goodbye, found: &mut Findings) {
    let (from, to) = (goodbye.at + AT_ONCE, goodbye.until - 1);
    let before = evidence.documents.state_at(user, from);
    // A room's end may still be under way, and writes what is there already.
    let mut engagements = evidence.documents.engagements(user, from, to).filter(|(_, state)| Some(*state) != before);
    if let Some((at, state)) = engagements.next() {
        let what = format!("{user} was {state} again {} ms after leaving was acknowledged", at - goodbye.at);
        found.broken(evidence, "who left is gone", at, &[user], what);
    }
}

fn allowed(evidence: &Evidence<'_>, goodbye: &Goodbye, limit: Ms) -> Ms {
    let lost = evidence.faults.any_of(goodbye.gateway, goodbye.at - ROUND, goodbye.at + ROUND);
    if lost && !goodbye.acknowledged { GOODBYE_LOST } else { limit }
}

/// Counts the pairs that were put to the test: both of them leave at the moment of the match, or one of them. A current
/// client has entered by then, as its gateway sees it.
fn moments(evidence: &Evidence<'_>, room: &Room, found: &mut Findings) {
    let moment = room.opened..room.opened + MOMENT;
    let leaves = |user: &str| {
        let mut entries = evidence.of_user(user).iter().filter(|entry| moment.contains(&entry.at));
        entries.any(|entry| {
            matches!(entry.what, Event::Leaving | Event::Vanished | Event::Disconnected { by_client: true, .. })
        })
    };
    let leaving: Vec<&str> = room.members.iter().map(|(user, _)| user.as_str()).filter(|user| leaves(user)).collect();
    match leaving.as_slice() {
        [_one] => found.judged(ONE_LEAVES, room.opened),
        [one, other] => {
            found.judged(
                match (evidence.is_legacy(one), evidence.is_legacy(other)) {
                    (false, false) => BOTH_LEAVE[0],
                    (true, true) => BOTH_LEAVE[1],
                    _ => BOTH_LEAVE[2],
                },
                room.opened,
            );
            let talk = room.members.iter().all(|(_, queue)| queue == "talk");
            found.judged(if talk { BOTH_LEAVE[3] } else { BOTH_LEAVE[4] }, room.opened);
        }
        _ => {}
    }
}

/// One of a pair leaves at the moment of the match, and the other one stays.
pub(crate) const ONE_LEAVES: &str = "one leaves at the match";
/// Both leave at that moment: by the kind of their clients, and by their queues.
pub(crate) const BOTH_LEAVE: [&str; 5] = [
    "both leave at the match, current clients",
    "both leave at the match, legacy clients",
    "both leave at the match, one of each",
    "both leave at the match, in talk",
    "both leave at the match, in vent and listen",
];
