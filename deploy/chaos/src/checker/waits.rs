//! Nobody waits for ever: two who fit do not wait beside each other, and whoever queued first is matched first.

use crate::{
    checker::Findings,
    disturbance::Part,
    history::{Event, Ms},
    known::{Known, Room},
};

/// Two who fit are matched in a tick, which comes every 3 s at the latest.
const FITTING: Ms = 6_000;
/// Two in whatever queues are matched: moved to talk after 10 s, matched in the next tick.
const WHATEVER: Ms = 16_000;
/// For so long nobody is moved to talk.
const UNMOVED: Ms = 10_000;
/// Who has waited for so long was read by a tick that begins now.
const READ: Ms = 3_500;
/// Whoever queued by POST is held back for a second, and with them the one whose turn it was.
const UNSETTLED: Ms = 2_000;
/// How late people note what they hear.
const AT_ONCE: Ms = 1_000;

/// Somebody who waits on one connection, from then to then, without being told of anything.
struct Wait<'a> {
    user: &'a str,
    queue: &'a str,
    /// When they queued.
    queued: Ms,
    from: Ms,
    to: Ms,
    gateway: Part,
}

pub(crate) fn check(known: &Known<'_>, found: &mut Findings) {
    let mut waits: Vec<Wait<'_>> = known.people.keys().flat_map(|user| waits(known, user)).collect();
    waits.sort_by_key(|wait| wait.from);
    for (place, wait) in waits.iter().enumerate() {
        found.judged("waits", wait.from);
        for other in waits[place + 1..].iter().take_while(|other| other.from < wait.to) {
            together(known, wait, other, found);
        }
        passed_over(known, wait, &waits, found);
    }
}

/// Whoever waits in calm is matched before anybody who queued later; unless they were just about to be matched with
/// somebody who was not settled, or went.
fn passed_over(known: &Known<'_>, wait: &Wait<'_>, waits: &[Wait<'_>], found: &mut Findings) {
    for (id, room) in &known.rooms {
        let at = room.opened;
        let fits = |(_, queue): &&(String, String)| wait.is_in(queue, at);
        if !(wait.from..wait.to - AT_ONCE).contains(&at) || room.has(wait.user) {
            continue;
        }
        let calm = known.faults.calm_since(&[Part::Matcher, wait.gateway], at).unwrap_or(wait.from).max(wait.from);
        if at - calm <= READ || had_a_turn(known, wait, waits, at) {
            continue;
        }
        for (member, _) in room.members.iter().filter(fits) {
            let others = |other: &&Wait<'_>| other.user == member && (other.from..=other.to + AT_ONCE).contains(&at);
            let Some(other) = waits.iter().find(others) else { continue };
            found.judged("first come, first matched", at);
            if other.queued > calm + AT_ONCE {
                let what =
                    format!("{} waited for {} ms, and {member}, who queued later, got {id}", wait.user, at - calm);
                found.broken(known, "nobody waits for ever", at, &[wait.user, member], what);
                return;
            }
        }
    }
}

fn had_a_turn(known: &Known<'_>, wait: &Wait<'_>, waits: &[Wait<'_>], at: Ms) -> bool {
    let unsettled = |other: &Wait<'_>| known.is_old(other.user) && (at - UNSETTLED..=at).contains(&other.queued);
    let tried = |room: &Room| room.has(wait.user) && (room.opened - at).abs() <= AT_ONCE;
    waits.iter().any(unsettled) || known.rooms.values().any(tried)
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

fn together(known: &Known<'_>, wait: &Wait<'_>, other: &Wait<'_>, found: &mut Findings) {
    let (from, to) = (wait.from.max(other.from), wait.to.min(other.to));
    if wait.user == other.user || to - from <= FITTING {
        return;
    }
    let parts = [Part::Matcher, wait.gateway, other.gateway];
    let limit = if fit(wait, other, from) { FITTING } else { WHATEVER };
    if known.faults.undisturbed(&parts, from, to) > limit {
        let what = format!("{} ({}) and {} ({}) wait for each other", wait.user, wait.queue, other.user, other.queue);
        found.broken(known, "nobody waits for ever", to, &[wait.user, other.user], what);
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

fn waits<'a>(known: &Known<'a>, user: &'a str) -> Vec<Wait<'a>> {
    let mut waiting = Waiting { user, queued: None, matched: false, line: None, since: None, waits: Vec::new() };
    for entry in known.of_user(user) {
        waiting.after(entry.at, &entry.what);
    }
    waiting.end(known.end);
    waiting.waits
}

/// Somebody's way through queues and connections.
struct Waiting<'a> {
    user: &'a str,
    queued: Option<(Ms, &'a str)>,
    matched: bool,
    line: Option<Part>,
    since: Option<Ms>,
    waits: Vec<Wait<'a>>,
}

impl<'a> Waiting<'a> {
    fn after(&mut self, at: Ms, event: &'a Event) {
        match event {
            Event::Queued { queue } => {
                self.end(at);
                self.queued = Some((self.queued.map_or(at, |(first, _)| first), queue));
                self.begin(at);
            }
            Event::Connected { gateway, state, old, .. } => {
                self.line = Some(Part::Gateway(*gateway));
                if state == "waiting" {
                    self.matched = false;
                    self.queued.get_or_insert((at, ""));
                }
                if state == "waiting" || (*old && !self.matched) {
                    self.begin(at);
                }
            }
            Event::Matched => {
                self.end(at);
                self.matched = true;
            }
            Event::Returned => {
                self.matched = false;
                self.begin(at);
            }
            Event::Lost { .. } => {
                self.end(at);
                self.line = None;
            }
            Event::Leaving | Event::Vanished | Event::Ended => {
                self.end(at);
                self.queued = None;
            }
            _ => {}
        }
    }

    fn begin(&mut self, at: Ms) {
        self.since = self.queued.and(self.line).map(|_| at);
    }

    fn end(&mut self, to: Ms) {
        let (Some(from), Some((queued, queue)), Some(gateway)) = (self.since.take(), self.queued, self.line) else {
            return;
        };
        self.waits.push(Wait { user: self.user, queue, queued, from, to, gateway });
    }
}
