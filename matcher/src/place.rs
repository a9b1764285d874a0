//! What queueing, leaving and the end of a room make of a user: pure steps.

use crate::{
    config::ms,
    user::{Changed, Stamp, State, User},
};
use proto::{Queue, Refusal, RoomId};
use std::time::Duration;

/// Who asked to queue this long ago has been told that it failed.
const GIVEN_UP: Duration = Duration::from_secs(5);

impl User {
    /// Wants to wait in a queue.
    pub(crate) fn queue(&mut self, stamp: Stamp, queue: Queue, settle: Duration) -> Result<Changed, Refusal> {
        if self.acted == stamp.sequence {
            return Ok(false);
        }
        if self.acted > stamp.sequence || stamp.age > GIVEN_UP {
            return Err(Refusal::Outdated);
        }
        if self.would_revive(stamp) {
            return Err(Refusal::Failed);
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

    /// Out of a room that is dissolved, into the place that they had. Who waits is written anew
    /// as well: a matcher that stood still must not bind them to that room any more.
    pub(crate) fn put_back(&mut self, room: RoomId) -> Changed {
        let there = self.room == Some(room);
        if there {
            self.state = State::Waiting;
            self.room = None;
            self.tell_partner_at = None;
            self.partner_told = false;
        }
        self.state == State::Waiting
    }

    /// Out of a room that has ended.
    pub(crate) fn erase_from(&mut self, room: RoomId, now: i64) -> Changed {
        let there = self.room == Some(room);
        if there {
            self.erase(now);
        }
        there
    }

    /// Away for too long, and in no room.
    pub(crate) fn expire(&mut self, away_since: i64, now: i64) -> Changed {
        let expired = self.is_away_since(away_since) && self.state != State::Paired;
        if expired {
            self.erase(now);
        }
        expired
    }

    /// Leaves the id, the sequences and when the connection was said, for [`crate::user::TOMBSTONE`]. Lets go of the
    /// connection too: who queues again with it has to connect it again.
    pub(crate) fn erase(&mut self, now: i64) {
        *self = Self {
            state: State::Gone,
            revision: self.revision,
            acted: self.acted,
            epoch: self.epoch,
            reasserted: self.reasserted,
            said_at: self.said_at,
            let_go: self.let_go,
            gone_unheard: std::mem::take(&mut self.gone_unheard),
            erased_at: Some(now),
            ..Self::absent(self.id)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::{
        TOMBSTONE,
        tests::{NOW, somebody, stamp},
    };

    fn queue(user: &mut User, sequence: u64) -> Result<Changed, Refusal> {
        user.queue(stamp(sequence), Queue::Vent, Duration::ZERO)
    }

    #[test]
    fn the_same_queue_command_again_changes_nothing() {
        let mut user = somebody();
        assert_eq!(queue(&mut user, 5), Ok(true));
        assert_eq!(queue(&mut user, 5), Ok(false));
        assert_eq!(queue(&mut user, 6), Err(Refusal::AlreadyWaiting));
    }

    #[test]
    fn a_queue_command_that_comes_after_the_leave_that_followed_it_is_outdated() {
        let mut user = somebody();
        assert_eq!(user.leave(stamp(6)), Ok(true));
        assert_eq!(queue(&mut user, 5), Err(Refusal::Outdated));
        assert_eq!(user.state, State::Gone);
        assert_eq!(queue(&mut user, 7), Ok(true));
    }

    #[test]
    fn a_leave_that_comes_after_the_queue_command_that_followed_it_is_outdated() {
        let mut user = somebody();
        assert_eq!(queue(&mut user, 7), Ok(true));
        assert_eq!(user.leave(stamp(6)), Err(Refusal::Outdated));
        assert_eq!(user.state, State::Waiting);
    }

    #[test]
    fn a_queue_command_whose_client_has_given_up_makes_no_ghost() {
        let known = User { revision: 1, ..somebody() };
        let late = Stamp { age: GIVEN_UP + Duration::from_millis(1), ..stamp(5) };
        assert_eq!(known.clone().queue(late, Queue::Talk, Duration::ZERO), Err(Refusal::Outdated));
        let later_than_tombstones = Stamp { age: TOMBSTONE + Duration::from_millis(1), ..stamp(5) };
        assert_eq!(somebody().queue(later_than_tombstones, Queue::Talk, Duration::ZERO), Err(Refusal::Failed));
        assert_eq!(known.clone().queue(later_than_tombstones, Queue::Talk, Duration::ZERO), Ok(true));
    }

    #[test]
    fn who_is_put_back_has_the_place_that_they_had() {
        let (mut user, room) = (somebody(), RoomId::new());
        queue(&mut user, 5).expect("waits");
        let before = user.clone();
        (user.state, user.room) = (State::Paired, Some(room));
        assert!(!user.put_back(RoomId::new()), "another room");
        assert!(user.put_back(room));
        assert!(user.put_back(room), "a new revision is due again");
        assert_eq!(user, before);
    }

    #[test]
    fn of_the_erased_only_that_is_left_by_which_late_commands_are_known() {
        let (mut user, room) = (somebody(), RoomId::new());
        queue(&mut user, 5).expect("waits");
        user.connect(stamp(6), &"g".parse().expect("an id"), None).expect("connects");
        (user.state, user.room) = (State::Paired, Some(room));
        assert!(user.erase_from(room, NOW));
        let absent = User::absent(user.id);
        let left = User { state: State::Gone, acted: 5, epoch: 6, said_at: NOW, erased_at: Some(NOW), ..absent };
        assert_eq!(user, left);
    }
}
