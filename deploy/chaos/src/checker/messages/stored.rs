//! What MongoDB held: each message once, in the places 1, 2, 3, …

use std::collections::{BTreeMap, HashMap};

use crate::{
    checker::Findings,
    history::Ms,
    known::{Known, Stored},
};

/// What was stored, for looking up.
pub(crate) struct Index<'k> {
    pub(crate) by_place: BTreeMap<(&'k str, u64), &'k Stored>,
    pub(crate) by_nonce: HashMap<(&'k str, &'k str, &'k str), Vec<&'k Stored>>,
}

impl<'k> Index<'k> {
    pub(crate) fn of(known: &'k Known<'_>) -> Self {
        let mut index = Self { by_place: BTreeMap::new(), by_nonce: HashMap::new() };
        for stored in &known.stored {
            // The first: what is stored after the end and erased again may have the same place.
            index.by_place.entry((&stored.room, stored.seq)).or_insert(stored);
            index.by_nonce.entry((&stored.room, &stored.author, &stored.nonce)).or_default().push(stored);
        }
        index
    }
}

pub(crate) fn check(known: &Known<'_>, found: &mut Findings) {
    without_gaps(known, found);
    once(known, found);
}

/// The places of a room are 1, 2, 3, … in the order of storing. What is stored after the room was erased begins
/// anew; it is looked at where erasing is.
fn without_gaps(known: &Known<'_>, found: &mut Findings) {
    let mut last: HashMap<&str, u64> = HashMap::new();
    for stored in known.stored.iter().filter(|stored| !stored.too_late) {
        found.judged("no gap", stored.at);
        let last = last.entry(&stored.room).or_default();
        if stored.seq != *last + 1 {
            let what = format!("in {} place {} was stored after place {last}", stored.room, stored.seq);
            found.broken(known, "no gap", stored.at, &[&stored.room, &stored.author], what);
        }
        *last = stored.seq;
    }
}

/// No message is there twice at one time.
fn once(known: &Known<'_>, found: &mut Findings) {
    for ((room, author, nonce), stored) in Index::of(known).by_nonce {
        found.judged("stored once", stored[0].at);
        let twice = stored.windows(2).find(|pair| pair[0].erased.is_none_or(|erased| erased > pair[1].at));
        if let Some(pair) = twice {
            let (what, at): (_, Ms) = (format!("the message {nonce} is stored {} times", stored.len()), pair[1].at);
            found.broken(known, "stored once", at, &[author, room], what);
        }
    }
}
