//! The invariants of messages.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{
    checker::{Violation, violation},
    history::{Entry, Event, Ms},
    known::{Known, Stored},
};

/// How soon a message reaches a partner who is there, or is back.
const DELIVERED: Ms = 5_000;
/// How soon a room's messages are erased after its end.
const ERASED: Ms = 5_000;

/// What a fault excuses at most, with the recovery from it: of the erasure, and of what was stored after it.
const EXCUSED: Ms = 25_000;
const EXCUSED_AFTERWARDS: Ms = 8_000;

pub(crate) fn check(known: &Known<'_>, violations: &mut Vec<Violation>) {
    let stored = Index::of(known);
    places(known, &stored, violations);
    kept(known, &stored, violations);
    for (user, somebody) in &known.people {
        connections(known, &stored, user, &somebody.entries, violations);
        order_of_sending(known, user, &somebody.entries, violations);
    }
    erased(known, violations);
}

/// What was stored, for looking up.
struct Index<'k> {
    by_place: BTreeMap<(&'k str, u64), &'k Stored>,
    by_nonce: HashMap<(&'k str, &'k str, &'k str), Vec<&'k Stored>>,
}

impl<'k> Index<'k> {
    fn of(known: &'k Known<'_>) -> Self {
        let mut index = Self { by_place: BTreeMap::new(), by_nonce: HashMap::new() };
        for stored in &known.stored {
            // The first: what is stored after the end and erased again may have the same place.
            index.by_place.entry((&stored.room, stored.seq)).or_insert(stored);
            index.by_nonce.entry((&stored.room, &stored.author, &stored.nonce)).or_default().push(stored);
        }
        index
    }
}

/// The places of a room are 1, 2, 3, … in the order of storing, each nonce once.
fn places(known: &Known<'_>, index: &Index<'_>, violations: &mut Vec<Violation>) {
    let mut last: HashMap<&str, u64> = HashMap::new();
    // What is stored after the end has to go again, which is looked at below.
    for stored in known.stored.iter().filter(|stored| stored.at <= room_end(known, &stored.room)) {
        let last = last.entry(&stored.room).or_default();
        if stored.seq != *last + 1 {
            let what = format!("in {} place {} was stored after place {last}", stored.room, stored.seq);
            violations.push(violation(known, "no gap", room_end(known, &stored.room), &[&stored.room], what));
        }
        *last = stored.seq;
    }
    for ((room, author, nonce), stored) in &index.by_nonce {
        // Stored again after it was erased with its room, it has to be erased again: that is looked at below.
        let twice = stored.windows(2).any(|pair| pair[0].erased.is_none_or(|erased| erased > pair[1].at));
        if twice {
            let what = format!("the message {nonce} is stored {} times", stored.len());
            violations.push(violation(known, "stored once", room_end(known, room), &[author, room], what));
        }
    }
}

fn room_end(known: &Known<'_>, room: &str) -> Ms {
    known.rooms.get(room).map_or(known.end, |room| room.closed)
}

/// Whatever was acknowledged is stored at that place, and reaches the partner.
fn kept(known: &Known<'_>, index: &Index<'_>, violations: &mut Vec<Violation>) {
    let received: HashSet<(&str, &str, u64)> = known.entries.iter().filter_map(received).collect();
    for entry in known.entries {
        let Event::Acknowledged { nonce, room, seq, .. } = &entry.what else { continue };
        let author = entry.who.as_str();
        let found = index.by_nonce.get(&(room.as_str(), author, nonce.as_str()));
        if !found.is_some_and(|stored| stored.iter().any(|stored| stored.seq == *seq)) {
            let what = format!("message {nonce} was acknowledged at place {seq} and is not stored there");
            violations.push(violation(known, "acknowledged is kept", entry.at, &[author, room], what));
        }
        let Some(life) = known.rooms.get(room.as_str()) else { continue };
        let Some(partner) = life.partner_of(author) else { continue };
        let could = |from: Ms, to: Ms| known.undisturbed(from.max(entry.at), to.min(life.closed)) > DELIVERED;
        let there = known.connections(partner).iter().any(|line| could(line.from, line.to));
        if there && !received.contains(&(partner, room.as_str(), *seq)) {
            let what = format!("{partner} was there and never received place {seq} of {room}");
            violations.push(violation(known, "received by the partner", entry.at, &[author, partner, room], what));
        }
    }
}

fn received(entry: &Entry) -> Option<(&str, &str, u64)> {
    match &entry.what {
        Event::Received { room, seq, .. } => Some((&entry.who, room, *seq)),
        _ => None,
    }
}

/// What one person's connections were sent: nothing twice, in the order of places, none left out but their own.
fn connections(known: &Known<'_>, index: &Index<'_>, user: &str, entries: &[&Entry], violations: &mut Vec<Violation>) {
    let mut last: HashMap<&str, u64> = HashMap::new();
    for entry in entries {
        match &entry.what {
            Event::Connected { last_seq, .. } => {
                // From here on again: what the client says it has seen.
                for last in last.values_mut() {
                    *last = last_seq.unwrap_or(0);
                }
            }
            Event::Received { room, seq, author, nonce, .. } => {
                let last = last.entry(room).or_default();
                let mut bad = |invariant, what| {
                    violations.push(violation(known, invariant, entry.at, &[user, author, room], what));
                };
                if *seq == *last {
                    bad("received once", format!("{user} received place {seq} of {room} twice"));
                } else if *seq < *last {
                    bad("one order", format!("{user} received place {seq} of {room} after place {last}"));
                }
                let missing = (*last + 1..*seq).find(|place| {
                    index.by_place.get(&(room.as_str(), *place)).is_none_or(|stored| stored.author != user)
                });
                if let Some(place) = missing {
                    bad("no gap", format!("{user} received place {seq} of {room} without place {place}"));
                }
                let there = index.by_place.get(&(room.as_str(), *seq));
                if there.is_none_or(|stored| stored.nonce != *nonce || stored.author != *author) {
                    bad("one order", format!("{user} received {nonce} at place {seq} of {room}, where it is not"));
                }
                *last = (*last).max(*seq);
            }
            _ => {}
        }
    }
}

/// Messages that were kept at the first try have places in the order of sending.
fn order_of_sending(known: &Known<'_>, user: &str, entries: &[&Entry], violations: &mut Vec<Violation>) {
    let mut places: BTreeMap<(&str, u64), (u64, Ms)> = BTreeMap::new();
    for entry in entries {
        if let Event::Acknowledged { number, room, seq, first: true, .. } = &entry.what {
            places.insert((room, *number), (*seq, entry.at));
        }
    }
    let places: Vec<_> = places.into_iter().collect();
    for pair in places.windows(2) {
        let [((room, number), (seq, _)), ((next_room, next), (next_seq, at))] = pair else { continue };
        if room == next_room && next_seq < seq {
            let what = format!("message {number} of {user} has place {seq}, and {next} has place {next_seq}");
            violations.push(violation(known, "one order", *at, &[user, room], what));
        }
    }
}

/// Nothing of a room is stored for long after its end.
fn erased(known: &Known<'_>, violations: &mut Vec<Violation>) {
    let mut late: HashSet<&str> = HashSet::new();
    for stored in &known.stored {
        let Some(room) = known.rooms.get(stored.room.as_str()).filter(|room| room.closed_known) else { continue };
        let gone = stored.erased.unwrap_or(known.end);
        let (since, excused) =
            if stored.at > room.closed { (stored.at, EXCUSED_AFTERWARDS) } else { (room.closed, EXCUSED) };
        let gone = gone.max(since);
        let too_late = known.undisturbed(since, gone).max(gone - since - excused) > ERASED;
        if too_late && late.insert(&stored.room) {
            let what = format!("messages of {} were there {} ms after its end", stored.room, gone - room.closed);
            violations.push(violation(known, "erased at the end", room.closed, &[&stored.room], what));
        }
    }
}
