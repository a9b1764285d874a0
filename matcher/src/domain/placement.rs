//! Where a user is: in no queue, in one, or in a room. What a user did last wins over whatever the end of a room does
//! with them, by the one rule of [`Placement::release`].

use crate::domain::presence::Changed;
use proto::{Queue, Refusal, RoomId};
use serde::{Deserialize, Serialize};

/// Where a user is. A user without a document is idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    #[default]
    Idle,
    Waiting,
    Paired,
    /// Erased, all but what is needed to recognise late commands.
    Gone,
}

impl State {
    /// All of them, as they are stored.
    pub(crate) const NAMES: [&'static str; 4] = ["idle", "waiting", "paired", "gone"];
}

/// A part of a user's document. Times are in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Placement {
    state: State,
    /// The stream sequence of the last queue or leave command that was applied.
    last_queue_seq: u64,
    /// That command was a leave.
    #[serde(default)]
    leaving: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<Queue>,
    /// With `last_queue_seq` the place in the queue; kept through a move to talk and through a room.
    queued_at: i64,
    /// Not to be matched before.
    ready_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    room: Option<RoomId>,
}

/// A wish to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueRequest {
    /// The stream sequence of its command.
    pub(crate) sequence: u64,
    pub(crate) queue: Queue,
    /// When the stream stored it, by NATS' clock.
    pub(crate) queued_at: i64,
    /// Not to be matched before, by MongoDB's clock.
    pub(crate) ready_at: i64,
    pub(crate) now: i64,
}

/// What the end of a room does with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// Back into the queue: the conversation had not started.
    Requeue,
    /// It is over.
    Erase,
}

/// What became of a member at the end of their room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Released {
    /// They wait again, in the place that they had.
    Requeued,
    /// They are to be erased.
    Erased,
    /// They were not in that room any more.
    Elsewhere,
}

impl Placement {
    /// Wants to wait in a queue.
    pub(crate) fn request_queue(&mut self, request: &QueueRequest) -> Result<Changed, Refusal> {
        if self.last_queue_seq == request.sequence {
            return Ok(false);
        }
        if self.last_queue_seq > request.sequence {
            return Err(Refusal::Outdated);
        }
        match self.state {
            State::Waiting => return Err(Refusal::AlreadyWaiting),
            State::Paired => return Err(Refusal::InRoom),
            State::Idle | State::Gone => {}
        }
        *self = Self {
            state: State::Waiting,
            last_queue_seq: request.sequence,
            leaving: false,
            queue: Some(request.queue),
            queued_at: request.queued_at,
            ready_at: request.ready_at,
            room: None,
        };
        Ok(true)
    }

    /// Wants to leave. Out of a room leads only the end of the room, which has to follow; until then it is remembered.
    pub(crate) fn leave(&mut self, sequence: u64) -> Result<Changed, Refusal> {
        if self.last_queue_seq == sequence {
            return Ok(false);
        }
        if self.last_queue_seq > sequence {
            return Err(Refusal::Outdated);
        }
        (self.last_queue_seq, self.leaving) = (sequence, true);
        Ok(true)
    }

    /// The end of a room. Who wants to leave is not put back into the queue, whatever the room's end says.
    pub(crate) fn release(&mut self, room: RoomId, release: Release) -> Released {
        if self.room != Some(room) {
            return Released::Elsewhere;
        }
        if release == Release::Erase || self.leaving {
            return Released::Erased;
        }
        (self.state, self.room) = (State::Waiting, None);
        Released::Requeued
    }

    /// What is left of an erased user: the sequence by which late commands are recognised.
    pub(crate) fn erase(&mut self) {
        *self =
            Self { state: State::Gone, last_queue_seq: self.last_queue_seq, leaving: self.leaving, ..Self::default() };
    }

    /// A connection speaks for an erased user again.
    pub(crate) fn revive(&mut self) -> Changed {
        let gone = self.state == State::Gone;
        if gone {
            self.state = State::Idle;
        }
        gone
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn room(&self) -> Option<RoomId> {
        self.room
    }

    /// The queue, and since when; while waiting.
    pub(crate) fn waiting(&self) -> Option<(Queue, i64)> {
        self.queue.filter(|_| self.state == State::Waiting).map(|queue| (queue, self.queued_at))
    }

    #[cfg(test)]
    pub(crate) fn pair(&mut self, room: RoomId) {
        assert_eq!(self.state, State::Waiting);
        (self.state, self.room) = (State::Paired, Some(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tests::NOW;

    fn request(sequence: u64) -> QueueRequest {
        QueueRequest { sequence, queue: Queue::Vent, queued_at: NOW, ready_at: NOW, now: NOW }
    }

    fn waiting(sequence: u64) -> Placement {
        let mut placement = Placement::default();
        assert_eq!(placement.request_queue(&request(sequence)), Ok(true));
        placement
    }

    #[test]
    fn the_same_queue_command_again_changes_nothing() {
        let mut placement = waiting(5);
        assert_eq!(placement.request_queue(&request(5)), Ok(false));
        assert_eq!(placement.request_queue(&request(6)), Err(Refusal::AlreadyWaiting));
    }

    #[test]
    fn the_newest_of_queue_and_leave_counts_in_whatever_order_they_come() {
        let mut left = Placement::default();
        assert_eq!(left.leave(6), Ok(true));
        assert_eq!(left.request_queue(&request(5)), Err(Refusal::Outdated));
        let mut queued = waiting(7);
        assert_eq!(queued.leave(6), Err(Refusal::Outdated));
        assert_eq!(queued.state(), State::Waiting);
    }

    #[test]
    fn a_member_who_is_requeued_has_the_place_that_they_had() {
        let (mut placement, room) = (waiting(5), RoomId::new());
        let before = placement.clone();
        placement.pair(room);
        assert_eq!(placement.release(RoomId::new(), Release::Requeue), Released::Elsewhere);
        assert_eq!(placement.release(room, Release::Requeue), Released::Requeued);
        assert_eq!(placement, before);
        assert_eq!(placement.release(room, Release::Requeue), Released::Elsewhere, "repeated");
    }

    #[test]
    fn a_member_who_left_is_not_requeued_and_one_who_queued_again_is_not_erased() {
        let (mut placement, room) = (waiting(5), RoomId::new());
        placement.pair(room);
        assert_eq!(placement.leave(6), Ok(true));
        assert_eq!(placement.release(room, Release::Requeue), Released::Erased);
        placement.erase();
        assert_eq!(placement.request_queue(&request(7)), Ok(true));
        assert_eq!(placement.release(room, Release::Erase), Released::Elsewhere);
        assert_eq!(placement.waiting(), Some((Queue::Vent, NOW)));
    }
}
