//! One user's document: who they are, their presence, and where they are. Commands arrive out of order and more than
//! once; each step below compares stamps and sequences, so that the same one again changes nothing. `store::users` writes
//! what comes out.

use crate::domain::{
    leases::Lapses,
    placement::{Placement, QueueRequest, Release, Released, State},
    presence::{Changed, Close, Presence, Timeouts},
};
use mongodb::bson::DateTime;
use proto::{ConnectionStamp, Queue, Refusal, Register, RoomId, UserId};
use serde::{Deserialize, Serialize};

/// Names one version of a document. Another one with each write, and never used again: a matcher that stood still cannot
/// write on a version that looks like the one it had read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Revision(String);

impl Revision {
    pub(crate) fn new() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A document of `users`. Times are in milliseconds since 1970, by the clock of MongoDB's primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    #[serde(rename = "_id")]
    id: UserId,
    /// None: there is no document.
    revision: Option<Revision>,
    #[serde(flatten)]
    presence: Presence,
    #[serde(flatten)]
    placement: Placement,
    /// When they were erased, while their tombstone is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased_at: Option<i64>,
    /// When MongoDB removes the document by itself.
    expires_at: DateTime,
}

impl User {
    /// Somebody who has no document.
    pub(crate) fn absent(id: UserId) -> Self {
        let (presence, placement) = (Presence::default(), Placement::default());
        Self { id, revision: None, presence, placement, erased_at: None, expires_at: DateTime::MAX }
    }

    /// A connection speaks for them.
    pub(crate) fn connect(&mut self, stamp: &ConnectionStamp) -> Changed {
        let opened = self.presence.open(stamp);
        let speaks = self.presence.connection().is_some_and(|newest| newest == &Register::open(stamp.clone()));
        let revived = speaks && self.placement.revive();
        if revived {
            self.erased_at = None;
        }
        opened || revived
    }

    /// A connection is closed. Who is in no queue and in no room is erased with it.
    pub(crate) fn disconnect(&mut self, close: &Close) -> Changed {
        let closed = self.presence.close(close);
        if closed && matches!(self.state(), State::Idle | State::Gone) {
            self.erase(close.now);
        }
        closed
    }

    /// Wants to wait in a queue.
    pub(crate) fn request_queue(&mut self, request: &QueueRequest) -> Result<Changed, Refusal> {
        let queued = self.placement.request_queue(request)?;
        if queued {
            self.erased_at = None;
            self.presence.expect_connection(request.now);
        }
        Ok(queued)
    }

    /// Wants to leave. Who is in a room is erased by its end, which has to follow.
    pub(crate) fn leave(&mut self, sequence: u64, now: i64) -> Result<Changed, Refusal> {
        let left = self.placement.leave(sequence)?;
        if left && self.state() != State::Paired {
            self.erase(now);
        }
        Ok(left)
    }

    /// The end of a room. A member who waits again is written as well when they had been released before: a matcher that
    /// stood still must not bind them to that room any more.
    pub(crate) fn release(&mut self, room: RoomId, release: Release, now: i64) -> Changed {
        match self.placement.release(room, release) {
            Released::Requeued => self.presence.forget_partner(),
            Released::Erased => self.erase(now),
            Released::Elsewhere => return release == Release::Requeue && self.state() == State::Waiting,
        }
        true
    }

    /// Removes who has been without a connection for too long. Who is in a room is removed by its end.
    pub(crate) fn remove_gone(&mut self, lapses: &Lapses, now: i64, timeouts: Timeouts) -> Changed {
        let removed = self.state() != State::Paired && self.is_gone(lapses, now, timeouts);
        if removed {
            self.erase(now);
        }
        removed
    }

    /// The partner was notified whether they are connected.
    pub(crate) fn note_partner(&mut self, connected: bool) -> Changed {
        self.presence.note_partner(connected)
    }

    /// Whether they have been without a connection for too long. The erased are not: they are forgotten.
    pub(crate) fn is_gone(&self, lapses: &Lapses, now: i64, timeouts: Timeouts) -> bool {
        self.state() != State::Gone && self.presence.is_gone(lapses, now, timeouts)
    }

    fn erase(&mut self, now: i64) {
        self.presence.reset();
        self.placement.erase();
        self.erased_at = Some(now);
    }

    /// A new version, to be written until `expires_at`.
    pub(crate) fn revise(&mut self, expires_at: DateTime) {
        self.revision = Some(Revision::new());
        self.expires_at = expires_at;
    }

    pub(crate) fn id(&self) -> UserId {
        self.id
    }

    pub(crate) fn revision(&self) -> Option<&Revision> {
        self.revision.as_ref()
    }

    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }

    pub(crate) fn state(&self) -> State {
        self.placement.state()
    }

    pub(crate) fn room(&self) -> Option<RoomId> {
        self.placement.room()
    }

    /// The queue, and since when; while waiting.
    pub(crate) fn waiting(&self) -> Option<(Queue, i64)> {
        self.placement.waiting()
    }

    #[cfg(test)]
    pub(crate) fn pair(&mut self, room: RoomId) {
        self.placement.pair(room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tests::{LATER, NOW, TIMEOUTS, stamp};
    use proto::ConnectionState;

    fn request(sequence: u64) -> QueueRequest {
        QueueRequest { sequence, queue: Queue::Talk, queued_at: NOW, ready_at: NOW, now: NOW }
    }

    fn connected() -> User {
        let mut user = User::absent(UserId::new());
        assert!(user.connect(&stamp(1)));
        user
    }

    fn close() -> Close {
        Close { stamp: stamp(1), state: ConnectionState::Lost, delivered_seq: 0, now: NOW }
    }

    #[test]
    fn an_idle_user_is_erased_with_the_connection_and_a_waiting_one_is_not() {
        let mut idle = connected();
        assert!(idle.disconnect(&close()));
        assert_eq!(idle.state(), State::Gone);
        let mut waiting = connected();
        waiting.request_queue(&request(5)).expect("waits");
        assert!(waiting.disconnect(&close()));
        assert_eq!(waiting.state(), State::Waiting);
    }

    #[test]
    fn an_erased_user_keeps_only_what_recognises_late_commands() {
        let (mut user, room) = (connected(), RoomId::new());
        user.request_queue(&request(5)).expect("waits");
        user.pair(room);
        user.note_partner(false);
        assert!(user.release(room, Release::Erase, NOW));
        let stored = serde_json::to_value(&user).expect("serializes");
        let mut left: Vec<&str> = stored.as_object().expect("an object").keys().map(String::as_str).collect();
        left.sort_unstable();
        assert_eq!(
            left,
            [
                "_id",
                "connection",
                "delivered_seq",
                "erased_at",
                "expires_at",
                "last_queue_seq",
                "leaving",
                "partner_notified",
                "queued_at",
                "ready_at",
                "revision",
                "state"
            ]
        );
        assert_eq!(
            (&stored["queued_at"], &stored["ready_at"], &stored["delivered_seq"]),
            (&0.into(), &0.into(), &0.into())
        );
        assert_eq!(user.request_queue(&request(4)), Err(Refusal::Outdated));
    }

    #[test]
    fn an_erased_user_is_revived_by_their_open_connection_and_not_by_a_closed_one() {
        let mut user = connected();
        assert_eq!(user.leave(5, NOW), Ok(true));
        assert_eq!(user.state(), State::Gone);
        let mut closed = user.clone();
        assert!(user.connect(&stamp(1)));
        assert_eq!(user.state(), State::Idle);
        closed.disconnect(&close());
        assert!(!closed.connect(&stamp(1)));
        assert_eq!(closed.state(), State::Gone);
    }

    #[test]
    fn a_user_who_queues_and_never_connects_is_removed_and_one_in_a_room_waits_for_its_end() {
        let (mut user, lapses) = (User::absent(UserId::new()), Lapses::default());
        user.request_queue(&request(5)).expect("waits");
        let mut paired = user.clone();
        paired.pair(RoomId::new());
        assert!(paired.is_gone(&lapses, LATER, TIMEOUTS) && !paired.remove_gone(&lapses, LATER, TIMEOUTS));
        assert!(!user.remove_gone(&lapses, NOW, TIMEOUTS));
        assert!(user.remove_gone(&lapses, LATER, TIMEOUTS));
        assert!(!user.is_gone(&lapses, LATER, TIMEOUTS), "they are forgotten, not removed again");
    }

    #[test]
    fn every_version_has_a_name_of_its_own() {
        let mut user = connected();
        let mut names: Vec<Revision> = Vec::new();
        for _ in 0..100 {
            user.revise(DateTime::MAX);
            names.push(user.revision().expect("a version").clone());
        }
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        assert_eq!(names.len(), 100);
    }
}
