//! A queue request that was acknowledged is applied: MongoDB has the user waiting, or matched already.

use super::{
    evidence::{AT_ONCE, Evidence},
    findings::Findings,
};
use crate::history::{Event, Ms};

/// How long a POST may take.
const POSTED: Ms = 8_000;

pub(crate) fn check(evidence: &Evidence<'_>, found: &mut Findings) {
    for user in evidence.users.keys() {
        let mut requested: Option<Ms> = None;
        for entry in evidence.of_user(user) {
            match entry.what {
                // What is requested again may have been applied the first time.
                Event::QueueRequested => requested = requested.or(Some(entry.at)),
                Event::Queued { .. } => {
                    if let Some(requested) = requested.take() {
                        applied(evidence, user, requested, entry.at, found);
                    }
                }
                Event::Leaving | Event::Left | Event::RoomEnded => requested = None,
                _ => {}
            }
        }
    }
}

fn applied(evidence: &Evidence<'_>, user: &str, requested: Ms, acknowledged: Ms, found: &mut Findings) {
    // The React client knows its id only afterwards, and records both at once.
    let from = if evidence.is_legacy(user) { requested - POSTED } else { requested };
    let documents = &evidence.documents;
    let before = documents.state_at(user, from).is_some_and(|state| matches!(state, "waiting" | "paired"));
    found.judged("acknowledged is queued", acknowledged);
    if !before && documents.engagements(user, from, acknowledged + AT_ONCE).next().is_none() {
        let what = format!("{user} was acknowledged to wait, and MongoDB had nothing of it");
        found.broken(evidence, "acknowledged is queued", acknowledged, &[user], what);
    }
}
