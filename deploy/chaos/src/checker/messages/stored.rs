//! What MongoDB held: each message once, at the room sequences 1, 2, 3, …

use std::collections::{BTreeMap, HashMap};

use crate::{
    checker::{
        evidence::{Evidence, Stored},
        findings::Findings,
    },
    history::Ms,
};

/// What was stored, for looking up.
pub(crate) struct Index<'k> {
    pub(crate) by_seq: BTreeMap<(&'k str, u64), &'k Stored>,
    pub(crate) by_nonce: HashMap<(&'k str, &'k str, &'k str), Vec<&'k Stored>>,
}

impl<'k> Index<'k> {
    pub(crate) fn of(evidence: &'k Evidence<'_>) -> Self {
        let mut index = Self { by_seq: BTreeMap::new(), by_nonce: HashMap::new() };
        for stored in &evidence.stored {
            // The first: what is stored after the end and erased again may have the same sequence.
            index.by_seq.entry((&stored.room, stored.seq)).or_insert(stored);
            index.by_nonce.entry((&stored.room, &stored.author, &stored.nonce)).or_default().push(stored);
        }
        index
    }
}

pub(crate) fn check(evidence: &Evidence<'_>, found: &mut Findings) {
    without_gaps(evidence, found);
    once(evidence, found);
}

/// The sequences of a room are 1, 2, 3, … in the order of storing. What is stored after the room was erased starts again;
/// `endings` checks it.
fn without_gaps(evidence: &Evidence<'_>, found: &mut Findings) {
    let mut last: HashMap<&str, u64> = HashMap::new();
    for stored in evidence.stored.iter().filter(|stored| !stored.too_late) {
        found.judged("no gap", stored.at);
        let last = last.entry(&stored.room).or_default();
        if stored.seq != *last + 1 {
            let what = format!("in {} sequence {} was stored after sequence {last}", stored.room, stored.seq);
            found.broken(evidence, "no gap", stored.at, &[&stored.room, &stored.author], what);
        }
        *last = stored.seq;
    }
}

/// No message is there twice at one time.
fn once(evidence: &Evidence<'_>, found: &mut Findings) {
    for ((room, author, nonce), stored) in Index::of(evidence).by_nonce {
        found.judged("stored once", stored[0].at);
        let twice = stored.windows(2).find(|pair| pair[0].erased.is_none_or(|erased| erased > pair[1].at));
        if let Some(pair) = twice {
            let (what, at): (_, Ms) = (format!("the message {nonce} is stored {} times", stored.len()), pair[1].at);
            found.broken(evidence, "stored once", at, &[author, room], what);
        }
    }
}
