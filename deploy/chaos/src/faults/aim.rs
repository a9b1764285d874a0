//! Finds the moment at which a fault hurts most, and finds out afterwards whether it was struck.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::{sleep, timeout};

use super::{Fault, scene::Scene};
use crate::{
    checker::{ACROSS_A_HANGING_BUS, Coverage},
    history::{Entry, Event, Ms},
    observe::change::{Change, Fact},
};

/// How many queue at once, so that a match round has something to do.
const CROWD: u32 = 24;
/// How long to wait for the moment; then it is any.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a message that is sent now is under way: some of those that everybody sends at once.
const UNDER_WAY: Duration = Duration::from_millis(4);
/// A matcher announces a room within a few ms of making it, a message is acknowledged within a few ms. What takes
/// longer was left to another one.
const LEFT_BEHIND: Ms = 300;

/// Returns as soon as MongoDB has the first room of a crowd that queues at once.
pub(crate) async fn at_a_match_round(scene: &mut Scene<'_>) {
    let mut openings = scene.witness.openings();
    scene.traffic.add_crowd(CROWD).await;
    openings.mark_unchanged();
    let _any_moment = timeout(PATIENCE, openings.changed()).await;
}

/// Returns when everybody has just sent something.
pub(crate) async fn at_messages_in_flight(scene: &Scene<'_>) {
    scene.traffic.burst();
    sleep(UNDER_WAY).await;
}

/// Whether a room had been made by then that only another matcher could announce, or dissolve.
pub(crate) fn hit_a_match_round(facts: &[Fact], struck: Ms) -> bool {
    let made: HashSet<&str> = facts
        .iter()
        .filter(|fact| (struck - PATIENCE.as_millis() as Ms..=struck + 50).contains(&fact.at))
        .filter_map(|fact| match &fact.what {
            Change::RoomOpened { room, .. } => Some(room.as_str()),
            _ => None,
        })
        .collect();
    let settled: HashSet<&str> = facts
        .iter()
        .filter(|fact| fact.at <= struck + LEFT_BEHIND)
        .filter_map(|fact| match &fact.what {
            Change::RoomAnnounced { room } | Change::RoomClosed { room } | Change::RoomDeleted { room } => {
                Some(room.as_str())
            }
            _ => None,
        })
        .collect();
    made.difference(&settled).next().is_some()
}

/// Counts what was struck in the moment that was meant.
pub(crate) fn count(entries: &[Entry], facts: &[Fact], coverage: &mut Coverage) {
    let mut in_flight: HashMap<&str, Ms> = HashMap::new();
    for entry in entries {
        match &entry.what {
            Event::Sent { nonce, .. } => drop(in_flight.insert(nonce, entry.at)),
            Event::Acknowledged { nonce, .. } | Event::Refused { nonce, .. } => drop(in_flight.remove(nonce.as_str())),
            Event::FaultStarted { .. }
                if entry.who == Fault::KillMatcher.name() && hit_a_match_round(facts, entry.at) =>
            {
                coverage.judged(IN_A_MATCH_ROUND, entry.at);
            }
            // What was sent longer ago was given up without a reply.
            Event::FaultStarted { .. }
                if entry.who == Fault::KillChatStore.name()
                    && in_flight.values().any(|sent| entry.at - sent < LEFT_BEHIND) =>
            {
                coverage.judged(IN_FLIGHT, entry.at);
            }
            _ => {}
        }
    }
}

/// What a run with these faults has to have struck.
pub(crate) const AIMED_FAULTS: [(Fault, &str); 3] = [
    (Fault::KillMatcher, IN_A_MATCH_ROUND),
    (Fault::KillChatStore, IN_FLIGHT),
    (Fault::SuspendBus, ACROSS_A_HANGING_BUS),
];
/// A matcher was killed in the middle of a match round.
const IN_A_MATCH_ROUND: &str = "killed in the middle of a match round";
/// A chat-store was killed with messages in flight.
const IN_FLIGHT: &str = "killed with messages in flight";
