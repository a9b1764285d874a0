//! What became of likes: stored when that was acknowledged, and received by the author.

use std::collections::{HashMap, HashSet};

use super::DELIVERED;
use crate::{
    checker::{
        evidence::{AT_ONCE, Evidence, Stored, disturbance::Part},
        findings::Findings,
    },
    history::{Entry, Event},
};

pub(crate) fn check(evidence: &Evidence<'_>, found: &mut Findings) {
    let stored: HashMap<&str, &Stored> = evidence.stored.iter().map(|stored| (stored.id.as_str(), stored)).collect();
    let received: HashSet<(&str, &str)> = evidence.entries.iter().filter_map(received).collect();
    for entry in evidence.entries {
        let Event::Liked { message } = &entry.what else { continue };
        found.judged("acknowledged is liked", entry.at);
        let Some(stored) = stored.get(message.as_str()) else {
            let what = format!("a like of {message} was acknowledged, which is not stored");
            found.broken(evidence, "acknowledged is liked", entry.at, &[&entry.who], what);
            continue;
        };
        if stored.liked.is_none_or(|liked| liked > entry.at + AT_ONCE) {
            let what = format!("a like of {} was acknowledged and is not stored", stored.nonce);
            found.broken(evidence, "acknowledged is liked", entry.at, &[&entry.who, &stored.room], what);
        }
        reaches_the_author(evidence, entry, stored, received.contains(&(stored.author.as_str(), message)), found);
    }
}

fn received(entry: &Entry) -> Option<(&str, &str)> {
    match &entry.what {
        Event::LikeReceived { message } => Some((&entry.who, message)),
        _ => None,
    }
}

/// An author who was connected for long enough has received it. One who was not sees it in the history.
fn reaches_the_author(evidence: &Evidence<'_>, entry: &Entry, stored: &Stored, received: bool, found: &mut Findings) {
    let Some(room) = evidence.rooms.get(stored.room.as_str()) else { return };
    // A like is published once, when it is stored; that may have been at an earlier try.
    let liked = stored.liked.unwrap_or(entry.at).min(entry.at);
    let there = evidence.connections(&stored.author).iter().any(|connection| {
        let parts = [Part::ChatStore, Part::Matcher, connection.part()];
        let calm = evidence.faults.calm(&parts, liked - DELIVERED, liked + DELIVERED);
        calm && connection.from < liked - DELIVERED && connection.to.min(room.closed) > liked + DELIVERED
    });
    if there {
        found.judged("likes received", entry.at);
        if !received {
            let author = stored.author.as_str();
            let what = format!("{author} was connected and never received the like of {}", stored.nonce);
            found.broken(evidence, "likes received", entry.at, &[author, &entry.who, &stored.room], what);
        }
    }
}
