//! One room's document: its two members, and how it is closed. Pure; `store::rooms` writes what comes out.

use crate::domain::{
    ms,
    pairing::{Candidate, Pair},
    placement::Release,
};
use mongodb::bson::DateTime;
use proto::{Queue, RoomId, RoomView, UserId, notification::EndReason};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A document of `rooms`. Times are in milliseconds since 1970, by the clock of MongoDB's primary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Room {
    #[serde(rename = "_id")]
    id: RoomId,
    /// The one who waited longer first.
    members: [Member; 2],
    open: bool,
    /// Both have entered.
    started: bool,
    created_at: i64,
    /// When the two were last notified of the match; none while they never were.
    announced_at: Option<i64>,
    /// Set with `open: false`: how to complete the close, also after a crash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closing: Option<Closing>,
    /// When the room is closed for its age; MongoDB removes it an hour later.
    expires_at: DateTime,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) user: UserId,
    pub(crate) queue: Queue,
    pub(crate) queued_at: i64,
    pub(crate) entered: bool,
}

/// How a room is closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Closing {
    pub(crate) reason: EndReason,
    /// Who goes back into the queue: the conversation had not started.
    pub(crate) requeue: Vec<UserId>,
    pub(crate) at: i64,
}

/// Why a room is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A member left.
    Left(UserId),
    /// A member was without a connection for too long.
    Gone(UserId),
    /// A member vanished before the conversation started: both look for somebody else.
    Vanished,
    /// Somebody did not enter in time: those who did look for somebody else.
    NotEntered,
    /// The room is too old, or a member's document is missing.
    Orphaned,
}

/// A room that a member has entered.
pub(crate) struct Entered {
    /// The room with that.
    pub(crate) room: Room,
    /// They had not entered it before.
    pub(crate) first: bool,
}

impl Room {
    /// For a new pair.
    pub(crate) fn new(pair: &Pair, now: i64, ttl: Duration) -> Self {
        let member = |w: &Candidate| Member { user: w.user, queue: w.queue, queued_at: w.queued_at, entered: false };
        Self {
            id: RoomId::new(),
            members: pair.each_ref().map(member),
            open: true,
            started: false,
            created_at: now,
            announced_at: None,
            closing: None,
            expires_at: DateTime::from_millis(now.saturating_add(ms(ttl))),
        }
    }

    /// What the entrance of a member makes of it.
    pub(crate) fn enter(mut self, user: UserId) -> Entered {
        let mut entering = self.members.iter_mut().filter(|member| member.user == user);
        let first = entering.next().is_some_and(|member| !std::mem::replace(&mut member.entered, true));
        self.started = self.members.iter().all(|member| member.entered);
        Entered { room: self, first }
    }

    /// How it is to be closed; none if that cause is none any more. Only a conversation that has not started puts anybody
    /// back into the queue.
    pub(crate) fn closing(&self, cause: Cause, now: i64) -> Option<Closing> {
        let (reason, requeue) = match cause {
            Cause::Vanished | Cause::NotEntered if self.started => return None,
            Cause::Left(member) => (EndReason::Left, self.requeued_without(member)),
            Cause::Gone(member) => (EndReason::Gone, self.requeued_without(member)),
            Cause::Vanished => (EndReason::Gone, self.users().to_vec()),
            Cause::NotEntered => {
                (EndReason::Gone, self.members.iter().filter(|member| member.entered).map(|m| m.user).collect())
            }
            Cause::Orphaned => (EndReason::Gone, Vec::new()),
        };
        Some(Closing { reason, requeue, at: now })
    }

    fn requeued_without(&self, member: UserId) -> Vec<UserId> {
        if self.started { Vec::new() } else { vec![self.partner_of(member)] }
    }

    /// The room with that close.
    pub(crate) fn closed(self, closing: Closing) -> Self {
        Self { open: false, closing: Some(closing), ..self }
    }

    /// The room from one member's side.
    pub(crate) fn view(&self, user: UserId, partner_connected: bool) -> RoomView {
        RoomView {
            room: self.id,
            partner: self.partner_of(user),
            entered: self.members.iter().any(|member| member.user == user && member.entered),
            started: self.started,
            partner_connected,
        }
    }

    pub(crate) fn users(&self) -> [UserId; 2] {
        self.members.each_ref().map(|member| member.user)
    }

    /// The other member.
    pub(crate) fn partner_of(&self, user: UserId) -> UserId {
        let [first, second] = self.users();
        if user == first { second } else { first }
    }

    pub(crate) fn id(&self) -> RoomId {
        self.id
    }

    pub(crate) fn members(&self) -> &[Member; 2] {
        &self.members
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    pub(crate) fn started(&self) -> bool {
        self.started
    }

    pub(crate) fn created_at(&self) -> i64 {
        self.created_at
    }

    /// Set while the close is to be completed.
    pub(crate) fn close_to_complete(&self) -> Option<&Closing> {
        self.closing.as_ref()
    }
}

impl Closing {
    /// What it does with a member.
    pub(crate) fn release(&self, user: UserId) -> Release {
        if self.requeue.contains(&user) { Release::Requeue } else { Release::Erase }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tests::NOW;
    use proto::Queue::{Listen, Vent};

    fn room() -> (Room, UserId, UserId) {
        let pair = [Candidate::for_test(1, Vent, NOW), Candidate::for_test(2, Listen, NOW)];
        let room = Room::new(&pair, NOW, Duration::from_secs(60));
        let [one, other] = room.users();
        (room, one, other)
    }

    #[test]
    fn the_conversation_starts_when_both_have_entered() {
        let (room, one, other) = room();
        let Entered { room, first } = room.enter(one);
        assert!(first && !room.started());
        let Entered { room, first } = room.enter(one);
        assert!(!first && !room.started(), "repeated");
        let Entered { room, first } = room.enter(other);
        assert!(first && room.started());
        assert_eq!(room.view(one, true).partner, other);
    }

    #[test]
    fn only_a_conversation_that_has_not_started_puts_anybody_back_into_the_queue() {
        let (new, one, other) = room();
        let half = new.clone().enter(one).room;
        let started = half.clone().enter(other).room;
        let requeued = |room: &Room, cause| room.closing(cause, NOW).map(|closing| closing.requeue);
        for (cause, of_new, of_half, of_started) in [
            (Cause::Left(one), Some(vec![other]), Some(vec![other]), Some(vec![])),
            (Cause::Gone(other), Some(vec![one]), Some(vec![one]), Some(vec![])),
            (Cause::Vanished, Some(vec![one, other]), Some(vec![one, other]), None),
            (Cause::NotEntered, Some(vec![]), Some(vec![one]), None),
            (Cause::Orphaned, Some(vec![]), Some(vec![]), Some(vec![])),
        ] {
            let found = [requeued(&new, cause), requeued(&half, cause), requeued(&started, cause)];
            assert_eq!(found, [of_new, of_half, of_started], "{cause:?}");
        }
    }
}
