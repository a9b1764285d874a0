//! One user's document. What commands make of it are pure steps, in `place` (queue and room) and
//! `connection`. Commands arrive out of order and more than once, so that each step compares
//! stream sequences: the newest queue or leave command counts (`acted`), the newest connection
//! counts (`epoch`; `said_at` where a bus that hung has changed the order), and the same one again
//! changes nothing. `users` stores what comes out.

use mongodb::bson::DateTime;
use proto::{GatewayId, Queue, RoomId, UserId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long an erased user's id and sequences are kept. Whatever is older than this cannot
/// bring a user into being, so that a late or repeated command never revives an erased one;
/// together with the pace of `sweep` it stays below the 5 s in which everything is erased.
pub(crate) const TOMBSTONE: Duration = Duration::from_secs(3);

/// Where a user is. Somebody without a document is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Idle,
    Waiting,
    Paired,
    /// Erased, all but what is needed to recognise late commands.
    Gone,
}

impl State {
    /// All of them, as they are written.
    pub(crate) const NAMES: [&'static str; 4] = ["idle", "waiting", "paired", "gone"];
}

/// A document of `users`. Times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    #[serde(rename = "_id")]
    pub(crate) id: UserId,
    /// Counts the writes, so that each is made on what was read; 0: there is no document.
    pub(crate) revision: i64,
    pub(crate) state: State,
    /// The stream sequence of the last queue or leave command that was applied.
    pub(crate) acted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<Queue>,
    /// With `acted` the place in the queue; kept through a move to talk and through a room.
    pub(crate) queued_at: i64,
    /// Not to be matched before.
    pub(crate) ready_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) room: Option<RoomId>,
    /// The stream sequence of the newest connection; 0: there never was one.
    pub(crate) epoch: u64,
    /// The epoch that this very connection had before its gateway reasserted it; 0: none. Its
    /// gateway may not have heard of the new one yet.
    pub(crate) reasserted: u64,
    /// When the newest connection was said to be there, by its gateway's clock.
    #[serde(default)]
    pub(crate) said_at: i64,
    /// The sequence of the newest disconnect: what was reasserted before it stays gone.
    pub(crate) let_go: u64,
    /// Newer connections that are gone already, although nobody has heard of them yet, or that were refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gone_unheard: Vec<u64>,
    pub(crate) connected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<GatewayId>,
    /// The last room sequence that an earlier connection had been sent.
    pub(crate) seen: u64,
    /// Without a connection since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gone_at: Option<i64>,
    /// When to tell the partner of a connection that a draining gateway let go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tell_partner_at: Option<i64>,
    /// The partner has to know, or knows, that the connection is lost.
    pub(crate) partner_told: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) erased_at: Option<i64>,
    /// When MongoDB removes it by itself.
    pub(crate) expires_at: DateTime,
}

/// A command's place in the stream and in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) sequence: u64,
    /// When it was said, in milliseconds since 1970 by the gateway's clock.
    pub(crate) said_at: i64,
    /// When the stream took it, in milliseconds since 1970 by the clock of NATS.
    pub(crate) taken_at: i64,
    /// How long ago it was published.
    pub(crate) age: Duration,
    /// Now, in milliseconds since 1970.
    pub(crate) now: i64,
}

/// True if there is something to write.
pub(crate) type Changed = bool;

impl User {
    /// Somebody who has no document.
    pub(crate) fn absent(id: UserId) -> Self {
        Self {
            id,
            revision: 0,
            state: State::Idle,
            acted: 0,
            queue: None,
            queued_at: 0,
            ready_at: 0,
            room: None,
            epoch: 0,
            reasserted: 0,
            said_at: 0,
            let_go: 0,
            gone_unheard: Vec::new(),
            connected: false,
            gateway: None,
            seen: 0,
            gone_at: None,
            tell_partner_at: None,
            partner_told: false,
            erased_at: None,
            expires_at: DateTime::MAX,
        }
    }

    /// Nobody can tell whether they never were, or were erased since; also when late commands of their own, delivered
    /// again, have left another trace of their end.
    pub(crate) fn would_revive(&self, stamp: Stamp) -> bool {
        (self.revision == 0 || self.state == State::Gone) && stamp.age > TOMBSTONE
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const NOW: i64 = 1_000_000;

    pub(crate) fn stamp(sequence: u64) -> Stamp {
        Stamp { sequence, said_at: NOW, taken_at: NOW, age: Duration::ZERO, now: NOW }
    }

    pub(crate) fn somebody() -> User {
        User::absent(UserId::new())
    }
}
