//! What became of messages: kept when that was said, received by the partner, once, in one order, without a gap.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{
    checker::Findings,
    disturbance::Part,
    history::{Entry, Event, Ms},
    known::Known,
    places::Index,
    rooms::AT_ONCE,
    somebody::Connection,
};

/// How soon a message reaches a partner who is there.
const DELIVERED: Ms = 4_000;
/// How long a connection that brings somebody back has to last to have brought all that was missed.
const CAUGHT_UP: Ms = 2_000;
/// A gateway says after 5 s that a message could not be kept; the machine is noisy.
const REFUSED: Ms = 7_000;

pub(crate) fn check(known: &Known<'_>, found: &mut Findings) {
    let stored = Index::of(known);
    let received: HashSet<(&str, &str, u64)> = known.entries.iter().filter_map(received).collect();
    for entry in known.entries {
        if let Event::Acknowledged { nonce, room, seq, .. } = &entry.what {
            kept(known, &stored, entry, (nonce, room, *seq), found);
            reaches_the_partner(known, &received, entry, (room, *seq), found);
        }
        if let Event::Refused { answer, gateway, after, .. } = &entry.what {
            refused_in_time(known, entry, answer, (Part::Gateway(*gateway), *after), found);
        }
    }
    for (user, somebody) in &known.people {
        Listener { known, stored: &stored, user, last: HashMap::new(), fresh: false }.hears(&somebody.entries, found);
        order_of_sending(known, user, &somebody.entries, found);
    }
}

/// Whatever was acknowledged was stored before, at that place.
fn kept(
    known: &Known<'_>,
    stored: &Index<'_>,
    entry: &Entry,
    (nonce, room, seq): (&str, &str, u64),
    found: &mut Findings,
) {
    found.judged("acknowledged is kept", entry.at);
    let author = entry.who.as_str();
    let same = stored.by_nonce.get(&(room, author, nonce)).into_iter().flatten();
    let first = same.filter(|stored| stored.seq == seq).map(|stored| stored.at).min();
    let what = match first {
        None => format!("message {nonce} was acknowledged at place {seq} and is not stored there"),
        Some(at) if at > entry.at + AT_ONCE => {
            format!("message {nonce} was acknowledged {} ms before it was stored", at - entry.at)
        }
        Some(_) => return,
    };
    found.broken(known, "acknowledged is kept", entry.at, &[author, room], what);
}

fn received(entry: &Entry) -> Option<(&str, &str, u64)> {
    match &entry.what {
        Event::Received { room, seq, .. } => Some((&entry.who, room, *seq)),
        _ => None,
    }
}

/// The partner who was there for long enough has received it, and so has who came back after it was acknowledged,
/// whatever is broken then: it is in what they are told when they come back.
fn reaches_the_partner(
    known: &Known<'_>,
    received: &HashSet<(&str, &str, u64)>,
    entry: &Entry,
    (room, seq): (&str, u64),
    found: &mut Findings,
) {
    let author = entry.who.as_str();
    let Some(life) = known.rooms.get(room) else { return };
    let Some(partner) = life.partner_of(author) else { return };
    let there = |line: &Connection| {
        let parts = [Part::ChatStore, Part::Matcher, line.gateway()];
        known.faults.undisturbed(&parts, line.from.max(entry.at), line.to.min(life.closed)) > DELIVERED
    };
    let back = |line: &Connection| {
        let missed = line.coming > entry.at && line.state == "room" && line.last_seq.is_some_and(|seen| seen < seq);
        missed && line.to - line.from > CAUGHT_UP && life.closed > line.from
    };
    let lines = known.connections(partner);
    let (there, back) = (lines.iter().any(there), lines.iter().any(back));
    if back {
        found.judged("received after coming back", entry.at);
    }
    if there || back {
        found.judged("received by the partner", entry.at);
        if !received.contains(&(partner, room, seq)) {
            let what = format!("{partner} was there and never received place {seq} of {room}");
            found.broken(known, "received by the partner", entry.at, &[author, partner, room], what);
        }
    }
}

/// What cannot be kept is refused in time, in words; unless the gateway itself is broken.
fn refused_in_time(known: &Known<'_>, entry: &Entry, answer: &str, (gateway, after): (Part, Ms), found: &mut Findings) {
    found.judged("refused in time", entry.at);
    let asked = entry.at - after;
    let mut faults = known.faults.all().iter().filter(|fault| fault.part == gateway);
    let broken = faults.any(|fault| fault.began <= entry.at && fault.over >= asked);
    // What somebody says who has just asked to leave has to wait for that.
    let leaving = known
        .of_user(&entry.who)
        .iter()
        .any(|other| other.what == Event::Leaving && (asked - REFUSED..=entry.at).contains(&other.at));
    if after > REFUSED && !broken && !leaving {
        let what = format!("{} was told {answer} after {after} ms", entry.who);
        found.broken(known, "refused in time", entry.at, &[&entry.who], what);
    }
}

/// Somebody whose connections are sent the messages of rooms: nothing twice, in the order of places, none left out
/// but their own.
struct Listener<'k> {
    known: &'k Known<'k>,
    stored: &'k Index<'k>,
    user: &'k str,
    last: HashMap<&'k str, u64>,
    /// Nothing has come on this connection of an old client, which cannot say what it has seen.
    fresh: bool,
}

impl<'k> Listener<'k> {
    fn hears(mut self, entries: &[&'k Entry], found: &mut Findings) {
        for entry in entries {
            match &entry.what {
                Event::Connected { old: true, .. } => self.fresh = true,
                Event::Connected { last_seq, .. } => {
                    // From here on again: what the client says it has seen.
                    self.last.values_mut().for_each(|last| *last = last_seq.unwrap_or(0));
                }
                Event::Received { room, seq, author, nonce, .. } => {
                    self.received(entry.at, (room, *seq), author, nonce, found);
                }
                _ => {}
            }
        }
    }

    fn received(&mut self, at: Ms, (room, seq): (&'k str, u64), author: &str, nonce: &str, found: &mut Findings) {
        found.judged("received once", at);
        let (known, stored, user) = (self.known, self.stored, self.user);
        let last = self.last.entry(room).or_default();
        if std::mem::take(&mut self.fresh) && seq <= *last {
            // Told again what may not have arrived, from there on without a gap.
            *last = seq - 1;
        }
        let mut bad = |invariant, what: String| found.broken(known, invariant, at, &[user, author, room], what);
        if seq == *last {
            bad("received once", format!("{user} received place {seq} of {room} twice"));
        } else if seq < *last {
            bad("one order", format!("{user} received place {seq} of {room} after place {last}"));
        }
        let not_own = |place: &u64| stored.by_place.get(&(room, *place)).is_none_or(|stored| stored.author != user);
        if let Some(place) = (*last + 1..seq).find(not_own) {
            bad("no gap", format!("{user} received place {seq} of {room} without place {place}"));
        }
        let there = stored.by_place.get(&(room, seq));
        if there.is_none_or(|stored| stored.nonce != nonce || stored.author != author) {
            bad("one order", format!("{user} received {nonce} at place {seq} of {room}, where it is not"));
        }
        *last = (*last).max(seq);
    }
}

/// Messages that were kept at the first try have places in the order of sending.
fn order_of_sending(known: &Known<'_>, user: &str, entries: &[&Entry], found: &mut Findings) {
    let mut places: BTreeMap<(&str, u64), (u64, Ms)> = BTreeMap::new();
    for entry in entries {
        if let Event::Acknowledged { number, room, seq, first: true, .. } = &entry.what {
            places.insert((room, *number), (*seq, entry.at));
        }
    }
    let places: Vec<_> = places.into_iter().collect();
    for pair in places.windows(2) {
        let [((room, number), (seq, _)), ((next_room, next), (next_seq, at))] = pair else { continue };
        if room != next_room {
            continue;
        }
        found.judged("one order", *at);
        if next_seq < seq {
            let what = format!("message {number} of {user} has place {seq}, and {next} has place {next_seq}");
            found.broken(known, "one order", *at, &[user, room], what);
        }
    }
}
