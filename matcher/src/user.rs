//! One user's document and what each command makes of it: pure steps. Commands arrive out of
//! order and more than once, so that each step compares stream sequences: the newest queue or
//! leave command counts (`acted`), the newest connection counts (`epoch`), and the same one
//! again changes nothing. `users` stores what comes out.

use crate::config::ms;
use mongodb::bson::DateTime;
use proto::{GatewayId, Queue, Refusal, RoomId, UserId};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Who asked to queue this long ago has been told that it failed.
const GIVEN_UP: Duration = Duration::from_secs(5);

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
    /// When the stream took it, in milliseconds since 1970.
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

    fn would_revive(&self, stamp: Stamp) -> bool {
        self.revision == 0 && stamp.age > TOMBSTONE
    }

    /// Wants to wait in a queue.
    pub(crate) fn queue(&mut self, stamp: Stamp, queue: Queue, settle: Duration) -> Result<Changed, Refusal> {
        if self.acted == stamp.sequence {
            return Ok(false);
        }
        if self.acted > stamp.sequence || stamp.age > GIVEN_UP || self.would_revive(stamp) {
            return Err(Refusal::Outdated);
        }
        match self.state {
            State::Waiting => return Err(Refusal::AlreadyWaiting),
            State::Paired => return Err(Refusal::InRoom),
            State::Idle | State::Gone => self.state = State::Waiting,
        }
        self.acted = stamp.sequence;
        self.queue = Some(queue);
        self.queued_at = stamp.taken_at;
        // From now on, since only now the answer goes out.
        self.ready_at = stamp.now.saturating_add(ms(settle));
        self.erased_at = None;
        if !self.connected {
            self.gone_at = Some(stamp.now);
        }
        Ok(true)
    }

    /// Leaves the queue. Out of a room only the room's end leads, which has to follow.
    pub(crate) fn leave(&mut self, stamp: Stamp) -> Result<Changed, Refusal> {
        if self.acted == stamp.sequence {
            return Ok(false);
        }
        if self.acted > stamp.sequence {
            return Err(Refusal::Outdated);
        }
        self.acted = stamp.sequence;
        if self.state != State::Paired {
            self.erase(stamp.now);
        }
        Ok(true)
    }

    /// A socket speaks for them.
    pub(crate) fn connect(
        &mut self,
        stamp: Stamp,
        gateway: &GatewayId,
        reassert: Option<u64>,
    ) -> Result<Changed, Refusal> {
        if self.epoch == stamp.sequence && self.connected {
            return Ok(false);
        }
        let replaced = reassert.is_some_and(|old| old != self.epoch);
        // With the same epoch it is gone already: the disconnect was faster.
        if self.epoch >= stamp.sequence || replaced || self.would_revive(stamp) {
            return Err(Refusal::Outdated);
        }
        self.epoch = stamp.sequence;
        self.connected = true;
        self.gateway = Some(gateway.clone());
        self.gone_at = None;
        self.tell_partner_at = None;
        if self.state == State::Gone {
            self.state = State::Idle;
            self.erased_at = None;
        }
        Ok(true)
    }

    /// The socket is gone; `None` when nobody knows what it had been sent.
    pub(crate) fn disconnect(
        &mut self,
        epoch: u64,
        seen: Option<u64>,
        now: i64,
        partner_hears_at: Option<i64>,
    ) -> Changed {
        if epoch < self.epoch || (epoch == self.epoch && !self.connected) {
            return false;
        }
        self.epoch = epoch;
        self.connected = false;
        self.gateway = None;
        self.gone_at = Some(now);
        self.seen = seen.unwrap_or(self.seen);
        match self.state {
            State::Idle | State::Gone => self.erase(now),
            State::Waiting => {}
            State::Paired => {
                self.tell_partner_at = partner_hears_at;
                self.partner_told |= partner_hears_at.is_none();
            }
        }
        true
    }

    /// The time to tell the partner of the lost connection has come.
    pub(crate) fn partner_hears(&mut self, now: i64) -> Changed {
        let due = self.tell_partner_at.is_some_and(|at| at <= now);
        if due {
            self.tell_partner_at = None;
            self.partner_told = true;
        }
        due
    }

    /// The partner knows that they are back.
    pub(crate) fn partner_relieved(&mut self) -> Changed {
        let back = self.connected && self.partner_told;
        self.partner_told &= !back;
        back
    }

    /// Out of a room that is dissolved, into the place that they had.
    pub(crate) fn put_back(&mut self, room: RoomId) -> Changed {
        let there = self.room == Some(room);
        if there {
            self.state = State::Waiting;
            self.room = None;
            self.tell_partner_at = None;
            self.partner_told = false;
        }
        there
    }

    /// Out of a room that has ended.
    pub(crate) fn erase_from(&mut self, room: RoomId, now: i64) -> Changed {
        let there = self.room == Some(room);
        if there {
            self.erase(now);
        }
        there
    }

    /// Has been without a connection since then or longer.
    pub(crate) fn is_away_since(&self, then: i64) -> bool {
        !self.connected && self.gone_at.is_some_and(|at| at <= then)
    }

    /// Away for too long, and in no room.
    pub(crate) fn expire(&mut self, away_since: i64, now: i64) -> Changed {
        let expired = self.is_away_since(away_since) && self.state != State::Paired;
        if expired {
            self.erase(now);
        }
        expired
    }

    /// Leaves the id and the sequences, for [`TOMBSTONE`], and the connection if there is one.
    fn erase(&mut self, now: i64) {
        let gone = Self::absent(self.id);
        *self = Self {
            state: State::Gone,
            revision: self.revision,
            acted: self.acted,
            epoch: self.epoch,
            connected: self.connected,
            gateway: self.gateway.take(),
            erased_at: Some(now),
            ..gone
        };
    }
}
