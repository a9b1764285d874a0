//! Where a current client is, as far as it knows, and what its user has to react to.

use std::time::{Duration, Instant};

use serde_json::Value;

/// The stages of a visit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stage {
    Idle,
    Waiting,
    Room,
    /// The visit is over.
    Over,
}

/// What the user has to react to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reaction {
    None,
    /// Matched just now.
    Match,
    /// The room is over.
    RoomOver,
    /// A newer connection speaks for the user.
    Replaced,
    /// The gateway closed the connection.
    Closed,
}

/// The stage, and what the client knows of its room.
pub(crate) struct Place {
    stage: Stage,
    since: Instant,
    /// The last room sequence that was received.
    seen: u64,
    /// The partner's last message, if it is not liked yet.
    likeable: Option<String>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { stage: Stage::Idle, since: Instant::now(), seen: 0, likeable: None }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// How long the client has been in this stage.
    pub(crate) fn since(&self) -> Duration {
        self.since.elapsed()
    }

    /// What the client sends as `last_seq` when it connects.
    pub(crate) fn last_seq(&self) -> Option<u64> {
        (self.stage == Stage::Room).then_some(self.seen)
    }

    /// Goes to a stage; true when what was known of a room is of no use any more.
    pub(crate) fn enter(&mut self, stage: Stage) -> bool {
        if self.stage == stage {
            return false;
        }
        (self.stage, self.since) = (stage, Instant::now());
        (self.seen, self.likeable) = (0, None);
        true
    }

    /// The stage that `resumed` reports.
    pub(crate) fn stage_of(resumed: &Value) -> Stage {
        match resumed["state"].as_str().unwrap_or_default() {
            "room" => Stage::Room,
            "waiting" => Stage::Waiting,
            "over" => Stage::Over,
            // The place in the queue was lost, or never there.
            _ => Stage::Idle,
        }
    }

    pub(crate) fn received(&mut self, seq: u64, likeable: Option<String>) {
        self.seen = self.seen.max(seq);
        self.likeable = likeable.or(self.likeable.take());
    }

    pub(crate) fn take_likeable(&mut self) -> Option<String> {
        self.likeable.take()
    }
}
