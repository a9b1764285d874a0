//! What became of messages: stored when that was acknowledged, received by the partner, once, in one order, without a
//! gap. `stored` checks what MongoDB held, `likes` what became of likes.

mod likes;
mod stored;

use std::collections::{BTreeMap, HashMap, HashSet};

use self::stored::Index;
use super::{
    evidence::{AT_ONCE, Connection, Evidence, disturbance::Part},
    findings::Findings,
};
use crate::history::{Entry, Event, Ms};

/// How soon a message or a like reaches a partner who is connected.
const DELIVERED: Ms = 4_000;
/// How long a connection has to last to have brought all that was missed.
const CAUGHT_UP: Ms = 2_000;
/// A gateway refuses after 5 s what could not be stored; the machine is busy.
const REFUSED: Ms = 7_000;

pub(crate) fn check(evidence: &Evidence<'_>, found: &mut Findings) {
    stored::check(evidence, found);
    likes::check(evidence, found);
    let stored = Index::of(evidence);
    let received: HashSet<(&str, &str, u64)> = evidence.entries.iter().filter_map(received).collect();
    for entry in evidence.entries {
        if let Event::Acknowledged { nonce, room, seq, .. } = &entry.what {
            is_stored(evidence, &stored, entry, (nonce, room, *seq), found);
            reaches_the_partner(evidence, &received, entry, (room, *seq), found);
        }
        if let Event::Refused { reply, gateway, after, .. } = &entry.what {
            refused_in_time(evidence, entry, reply, (Part::Gateway(*gateway), *after), found);
        }
    }
    for (name, user) in &evidence.users {
        Receiver { evidence, stored: &stored, user: name, last: HashMap::new(), fresh: false }
            .check(&user.entries, found);
        order_of_sending(evidence, name, &user.entries, found);
    }
}

/// What was acknowledged was stored before, at that sequence.
fn is_stored(
    evidence: &Evidence<'_>,
    stored: &Index<'_>,
    entry: &Entry,
    (nonce, room, seq): (&str, &str, u64),
    found: &mut Findings,
) {
    found.judged("acknowledged is stored", entry.at);
    let author = entry.who.as_str();
    let same = stored.by_nonce.get(&(room, author, nonce)).into_iter().flatten();
    let first = same.filter(|stored| stored.seq == seq).map(|stored| stored.at).min();
    let what = match first {
        None => format!("message {nonce} was acknowledged at sequence {seq} and is not stored there"),
        Some(at) if at > entry.at + AT_ONCE => {
            format!("message {nonce} was acknowledged {} ms before it was stored", at - entry.at)
        }
        Some(_) => return,
    };
    found.broken(evidence, "acknowledged is stored", entry.at, &[author, room], what);
}

fn received(entry: &Entry) -> Option<(&str, &str, u64)> {
    match &entry.what {
        Event::Received { room, seq, .. } => Some((&entry.who, room, *seq)),
        _ => None,
    }
}

/// A partner who was connected for long enough has received it, and so has one who came back after it was acknowledged,
/// whatever is broken then: it is in `resumed`.
fn reaches_the_partner(
    evidence: &Evidence<'_>,
    received: &HashSet<(&str, &str, u64)>,
    entry: &Entry,
    (room, seq): (&str, u64),
    found: &mut Findings,
) {
    let author = entry.who.as_str();
    let Some(life) = evidence.rooms.get(room) else { return };
    let Some(partner) = life.partner_of(author) else { return };
    let there = |connection: &Connection| {
        let parts = [Part::ChatStore, Part::Matcher, connection.part()];
        let (from, to) = (connection.from.max(entry.at), connection.to.min(life.closed));
        evidence.faults.undisturbed(&parts, from, to) > DELIVERED
    };
    let back = |connection: &Connection| {
        let missed = connection.connecting > entry.at && connection.last_seq.is_some_and(|seen| seen < seq);
        let lasted = connection.to - connection.from > CAUGHT_UP && life.closed > connection.from;
        missed && lasted && connection.state == "room"
    };
    let connections = evidence.connections(partner);
    let (there, back) = (connections.iter().any(there), connections.iter().any(back));
    if back {
        found.judged("received after coming back", entry.at);
    }
    if there || back {
        found.judged("received by the partner", entry.at);
        if !received.contains(&(partner, room, seq)) {
            let what = format!("{partner} was connected and never received sequence {seq} of {room}");
            found.broken(evidence, "received by the partner", entry.at, &[author, partner, room], what);
        }
    }
}

/// What cannot be stored is refused in time, with an error; unless the gateway itself is broken.
fn refused_in_time(
    evidence: &Evidence<'_>,
    entry: &Entry,
    reply: &str,
    (gateway, after): (Part, Ms),
    found: &mut Findings,
) {
    found.judged("refused in time", entry.at);
    let requested = entry.at - after;
    let broken = evidence.faults.any_of(gateway, requested, entry.at);
    // What a user sends while leaving has to wait for that.
    let leaving = evidence
        .of_user(&entry.who)
        .iter()
        .any(|other| other.what == Event::Leaving && (requested - REFUSED..=entry.at).contains(&other.at));
    if after > REFUSED && !broken && !leaving {
        let what = format!("{} received {reply} after {after} ms", entry.who);
        found.broken(evidence, "refused in time", entry.at, &[&entry.who], what);
    }
}

/// A user who receives the messages of rooms: none twice, in the order of their sequences, none left out but their own.
struct Receiver<'k> {
    evidence: &'k Evidence<'k>,
    stored: &'k Index<'k>,
    user: &'k str,
    last: HashMap<&'k str, u64>,
    /// Nothing has come on this connection of a legacy client, which cannot tell what it has received.
    fresh: bool,
}

impl<'k> Receiver<'k> {
    fn check(mut self, entries: &[&'k Entry], found: &mut Findings) {
        for entry in entries {
            match &entry.what {
                Event::Connected { legacy: true, .. } => self.fresh = true,
                Event::Connected { last_seq, .. } => {
                    // From here on again: what the client has sent as its last sequence.
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
        let (evidence, stored, user) = (self.evidence, self.stored, self.user);
        let last = self.last.entry(room).or_default();
        if std::mem::take(&mut self.fresh) && seq <= *last {
            // Sent again what may not have arrived, from there on without a gap.
            *last = seq - 1;
        }
        let mut bad = |invariant, what: String| found.broken(evidence, invariant, at, &[user, author, room], what);
        if seq == *last {
            bad("received once", format!("{user} received sequence {seq} of {room} twice"));
        } else if seq < *last {
            bad("one order", format!("{user} received sequence {seq} of {room} after sequence {last}"));
        }
        let not_own = |seq: &u64| stored.by_seq.get(&(room, *seq)).is_none_or(|stored| stored.author != user);
        if let Some(missing) = (*last + 1..seq).find(not_own) {
            bad("no gap", format!("{user} received sequence {seq} of {room} without sequence {missing}"));
        }
        let there = stored.by_seq.get(&(room, seq));
        if there.is_none_or(|stored| stored.nonce != nonce || stored.author != author) {
            bad("one order", format!("{user} received {nonce} at sequence {seq} of {room}, where it is not"));
        }
        *last = (*last).max(seq);
    }
}

/// Messages that were stored at the first try have sequences in the order of sending.
fn order_of_sending(evidence: &Evidence<'_>, user: &str, entries: &[&Entry], found: &mut Findings) {
    let mut sequences: BTreeMap<(&str, u64), (u64, Ms)> = BTreeMap::new();
    for entry in entries {
        if let Event::Acknowledged { number, room, seq, first: true, .. } = &entry.what {
            sequences.insert((room, *number), (*seq, entry.at));
        }
    }
    let sequences: Vec<_> = sequences.into_iter().collect();
    for pair in sequences.windows(2) {
        let [((room, number), (seq, _)), ((next_room, next), (next_seq, at))] = pair else { continue };
        if room != next_room {
            continue;
        }
        found.judged("one order", *at);
        if next_seq < seq {
            let what = format!("message {number} of {user} has sequence {seq}, and {next} has sequence {next_seq}");
            found.broken(evidence, "one order", *at, &[user, room], what);
        }
    }
}
