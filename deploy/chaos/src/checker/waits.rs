//! Nobody waits for ever: two users who fit are matched, and who queued first is matched first.

use super::{
    evidence::{Evidence, Room, disturbance::Part},
    findings::Findings,
};
use crate::history::{Event, Ms};

/// Two users who fit are matched in a match round, which comes every 3 s at the latest.
const FITTING: Ms = 6_000;
/// Two users in any queues are matched: moved to talk after 10 s, matched in the next round.
const WHATEVER: Ms = 16_000;
/// For so long no user is moved to talk.
const UNMOVED: Ms = 10_000;
/// Who has waited for so long was read by a match round that starts now.
const READ: Ms = 3_500;
/// A user who queued by POST is held back for 150 ms, and with them the one whose turn it was.
const UNSETTLED: Ms = 500;
/// How late clients record what they receive.
const AT_ONCE: Ms = 1_000;

/// A user who waits on one connection, from then to then, without being notified of anything.
struct Wait<'a> {
    user: &'a str,
    queue: &'a str,
    /// When they queued.
    queued: Ms,
    from: Ms,
    to: Ms,
    gateway: Part,
}

pub(crate) fn check(evidence: &Evidence<'_>, found: &mut Findings) {
    let mut waits: Vec<Wait<'_>> = evidence.users.keys().flat_map(|user| waits(evidence, user)).collect();
    waits.sort_by_key(|wait| wait.from);
    for (place, wait) in waits.iter().enumerate() {
        found.judged("waits", wait.from);
        for other in waits[place + 1..].iter().take_while(|other| other.from < wait.to) {
            together(evidence, wait, other, found);
        }
        passed_over(evidence, wait, &waits, found);
    }
}

/// A user who waits in calm is matched before any who queued later; unless they were about to be matched with one who was
/// held back, or went.
fn passed_over(evidence: &Evidence<'_>, wait: &Wait<'_>, waits: &[Wait<'_>], found: &mut Findings) {
    for (id, room) in &evidence.rooms {
        let at = room.opened;
        let fits = |(_, queue): &&(String, String)| wait.is_in(queue, at);
        if !(wait.from..wait.to - AT_ONCE).contains(&at) || room.has(wait.user) {
            continue;
        }
        let calm = evidence.faults.calm_since(&[Part::Matcher, wait.gateway], at).unwrap_or(wait.from).max(wait.from);
        if at - calm <= READ || had_a_turn(evidence, wait, waits, at) {
            continue;
        }
        for (member, _) in room.members.iter().filter(fits) {
            let others = |other: &&Wait<'_>| other.user == member && (other.from..=other.to + AT_ONCE).contains(&at);
            let Some(other) = waits.iter().find(others) else { continue };
            found.judged("first come, first served", at);
            if other.queued > calm + AT_ONCE {
                let what =
                    format!("{} waited for {} ms, and {member}, who queued later, got {id}", wait.user, at - calm);
                found.broken(evidence, "nobody waits for ever", at, &[wait.user, member], what);
                return;
            }
        }
    }
}

fn had_a_turn(evidence: &Evidence<'_>, wait: &Wait<'_>, waits: &[Wait<'_>], at: Ms) -> bool {
    let unsettled =
        |other: &Wait<'_>| evidence.is_legacy(other.user) && (at - UNSETTLED..=at + AT_ONCE).contains(&other.queued);
    let tried = |room: &Room| room.has(wait.user) && (room.opened - at).abs() <= AT_ONCE;
    waits.iter().any(unsettled) || evidence.rooms.values().any(tried)
}

impl Wait<'_> {
    /// Whether they are in this queue for certain, at this time.
    fn is_in(&self, queue: &str, at: Ms) -> bool {
        match queue {
            "talk" => self.queue == "talk" || (!self.queue.is_empty() && at - self.queued > WHATEVER),
            _ => self.queue == queue && at - self.queued < UNMOVED - AT_ONCE,
        }
    }
}

fn together(evidence: &Evidence<'_>, wait: &Wait<'_>, other: &Wait<'_>, found: &mut Findings) {
    let (from, to) = (wait.from.max(other.from), wait.to.min(other.to));
    if wait.user == other.user || to - from <= FITTING {
        return;
    }
    let parts = [Part::Matcher, wait.gateway, other.gateway];
    let limit = if fit(wait, other, from) { FITTING } else { WHATEVER };
    if evidence.faults.undisturbed(&parts, from, to) > limit {
        let what = format!("{} ({}) and {} ({}) wait for each other", wait.user, wait.queue, other.user, other.queue);
        found.broken(evidence, "nobody waits for ever", to, &[wait.user, other.user], what);
    }
}

/// They fit, and will for long enough, as they queued.
fn fit(wait: &Wait<'_>, other: &Wait<'_>, from: Ms) -> bool {
    let unmoved = |wait: &Wait<'_>| from + FITTING < wait.queued + UNMOVED;
    match (wait.queue, other.queue) {
        ("talk", "talk") => true,
        ("vent", "listen") | ("listen", "vent") => unmoved(wait) && unmoved(other),
        _ => false,
    }
}

fn waits<'a>(evidence: &Evidence<'a>, user: &'a str) -> Vec<Wait<'a>> {
    let mut waiting = Waiting { user, queued: None, matched: false, connection: None, since: None, waits: Vec::new() };
    for entry in evidence.of_user(user) {
        waiting.after(entry.at, &entry.what);
    }
    waiting.end(evidence.end);
    waiting.waits
}

/// A user's way through queues and connections.
struct Waiting<'a> {
    user: &'a str,
    queued: Option<(Ms, &'a str)>,
    matched: bool,
    connection: Option<(u32, Part)>,
    since: Option<Ms>,
    waits: Vec<Wait<'a>>,
}

impl<'a> Waiting<'a> {
    fn after(&mut self, at: Ms, event: &'a Event) {
        match event {
            Event::Queued { queue } => {
                self.end(at);
                self.queued = Some((self.queued.map_or(at, |(first, _)| first), queue));
                self.matched = false;
                self.start(at);
            }
            Event::Connected { connection, gateway, state, legacy, .. } => {
                self.end(at);
                self.connection = Some((*connection, Part::Gateway(*gateway)));
                self.connected(at, state, *legacy);
            }
            Event::Matched => {
                self.end(at);
                self.matched = true;
            }
            Event::Requeued => {
                self.matched = false;
                self.start(at);
            }
            // An older tab is another matter.
            Event::Disconnected { connection, .. } | Event::Silenced { connection }
                if self.connection.is_some_and(|(current, _)| current == *connection) =>
            {
                self.end(at);
                self.connection = None;
            }
            Event::Leaving | Event::Vanished | Event::RoomEnded => {
                self.end(at);
                self.queued = None;
            }
            _ => {}
        }
    }

    fn connected(&mut self, at: Ms, state: &str, legacy: bool) {
        if state == "idle" || state == "over" {
            (self.queued, self.matched) = (None, false);
        }
        if state == "waiting" {
            self.matched = false;
            self.queued.get_or_insert((at, ""));
        }
        if state == "waiting" || (legacy && !self.matched) {
            self.start(at);
        }
    }

    fn start(&mut self, at: Ms) {
        self.since = self.queued.and(self.connection).map(|_| at);
    }

    fn end(&mut self, to: Ms) {
        let (Some(from), Some((queued, queue)), Some((_, gateway))) = (self.since.take(), self.queued, self.connection)
        else {
            return;
        };
        self.waits.push(Wait { user: self.user, queue, queued, from, to, gateway });
    }
}
