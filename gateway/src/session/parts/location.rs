//! Where a session's user is, as far as its client knows: idle, waiting, or in a room. A pure state machine: a state of
//! the matcher or a notification goes in, events for the client and a follow-up come out.

use crate::{
    api::server_event::{ServerEvent, waited_ms},
    bus::backend::Membership,
    session::parts::{
        client::ClientKind,
        outcome::{FollowUp, Outcome},
    },
};
use proto::{Queue, RoomId, RoomView, UserId, UserState, notification::EndReason};

/// Where one user is.
#[derive(Debug)]
pub(crate) struct Location {
    user: UserId,
    client: ClientKind,
    place: Place,
}

#[derive(Debug, PartialEq)]
enum Place {
    Idle,
    Waiting { queue: Queue, since_ms: i64 },
    Room(Room),
}

#[derive(Debug, PartialEq)]
struct Room {
    membership: Membership,
    /// This user has entered.
    entered: bool,
    /// The partner has entered, and the client knows them connected.
    partner_connected: bool,
}

impl Location {
    /// Of a user of whom nothing is known yet.
    pub(crate) fn new(user: UserId, client: ClientKind) -> Self {
        Self { user, client, place: Place::Idle }
    }

    /// The room, entered or not.
    pub(crate) fn room(&self) -> Option<RoomId> {
        self.membership().map(|membership| membership.room)
    }

    /// The room and the partner, entered or not.
    pub(crate) fn membership(&self) -> Option<Membership> {
        self.in_room().map(|room| room.membership)
    }

    /// The room and the partner, once entered: only then the client may write.
    pub(crate) fn entered(&self) -> Option<Membership> {
        self.in_room().filter(|room| room.entered).map(|room| room.membership)
    }

    /// Whether the client knows the partner connected.
    pub(crate) fn partner_connected(&self) -> bool {
        self.in_room().is_some_and(|room| room.partner_connected)
    }

    /// The queue, and since when, in milliseconds since 1970.
    pub(crate) fn waiting(&self) -> Option<(Queue, i64)> {
        match self.place {
            Place::Waiting { queue, since_ms } => Some((queue, since_ms)),
            Place::Idle | Place::Room(_) => None,
        }
    }

    /// Takes a state without events: the client is told by other means.
    pub(crate) fn assume(&mut self, state: &UserState) {
        self.place = match state {
            UserState::Idle => Place::Idle,
            UserState::Waiting { queue, since_ms } => Place::Waiting { queue: *queue, since_ms: *since_ms },
            UserState::Room(view) => Place::Room(Room::from(view)),
        };
    }

    /// The matcher's state, after a match, a claim, or a resync.
    pub(crate) fn observe(&mut self, state: &UserState) -> Outcome {
        match (state, &self.place) {
            (UserState::Room(view), _) => self.observe_room(view),
            (UserState::Waiting { queue, since_ms }, Place::Room(_)) => self.requeued(*queue, *since_ms),
            (UserState::Waiting { .. }, _) => {
                self.assume(state);
                Outcome::nothing()
            }
            (UserState::Idle, Place::Room(_)) => self.over(EndReason::Gone),
            (UserState::Idle, Place::Waiting { queue, .. }) => Outcome::nothing().then(FollowUp::Requeue(*queue)),
            (UserState::Idle, Place::Idle) => Outcome::nothing(),
        }
    }

    fn observe_room(&mut self, view: &RoomView) -> Outcome {
        match self.in_room_mut().filter(|room| room.membership.room == view.room) {
            // Announced by each round until entered; this client's command is on its way.
            Some(room) if room.entered && !view.entered => Outcome::nothing(),
            Some(room) if room.entered => {
                room.partner_is(view.started && view.partner_connected).then(FollowUp::CatchUp)
            }
            Some(_) => self.announce(view.room),
            None => {
                // Its client knows nothing of it yet.
                self.place = Place::Room(Room { entered: false, partner_connected: false, ..Room::from(view) });
                self.announce(view.room)
            }
        }
    }

    /// Current clients are in the room by the announcement; legacy ones send `join_room`.
    fn announce(&self, room: RoomId) -> Outcome {
        let complete = Outcome::event(ServerEvent::QueueComplete { user_id: self.user });
        match self.client {
            ClientKind::Current => complete.then(FollowUp::Enter(room)),
            ClientKind::Legacy => complete,
        }
    }

    /// This user has entered, as the reply to that shows it.
    pub(crate) fn has_entered(&mut self, view: &RoomView) -> Outcome {
        let mut known = match std::mem::replace(&mut self.place, Place::Idle) {
            Place::Room(room) if room.membership.room == view.room => room,
            _ => Room { partner_connected: false, ..Room::from(view) },
        };
        known.entered = true;
        let mut outcome = known.partner_is(view.started && view.partner_connected);
        self.place = Place::Room(known);
        if self.client == ClientKind::Legacy {
            // They wait for this answer to `join_room`, also when they are the first, or have it already.
            outcome.events = vec![ServerEvent::UserConnected];
        }
        outcome
    }

    /// Notified: waits in a queue.
    pub(crate) fn queued(&mut self, queue: Queue, since_ms: i64) -> Outcome {
        if self.in_room().is_none() {
            self.place = Place::Waiting { queue, since_ms };
        }
        Outcome::nothing()
    }

    /// Notified: back in the queue.
    pub(crate) fn requeued(&mut self, queue: Queue, since_ms: i64) -> Outcome {
        self.place = Place::Waiting { queue, since_ms };
        let returned = ServerEvent::QueueReturned { queue, waited_ms: waited_ms(since_ms) };
        Outcome::for_current(self.client, returned)
    }

    /// Notified: moved to another queue.
    pub(crate) fn moved(&mut self, from: Queue, to: Queue) -> Outcome {
        let Place::Waiting { queue, .. } = &mut self.place else { return Outcome::nothing() };
        *queue = to;
        Outcome::for_current(self.client, ServerEvent::QueueChanged { from, to })
    }

    /// Notified: a member entered.
    pub(crate) fn member_entered(&mut self, user: UserId, started: bool) -> Outcome {
        let Some(room) = self.in_room_mut() else { return Outcome::nothing() };
        if room.membership.partner == user {
            return if started { room.partner_is(true) } else { Outcome::nothing() };
        }
        // The reply to this client's command came too late. Another one shows where the partner is.
        let again = !room.entered;
        let room = room.membership.room;
        if again { Outcome::nothing().then(FollowUp::Enter(room)) } else { Outcome::nothing() }
    }

    /// Notified: the partner's connection is lost, or back.
    pub(crate) fn partner(&mut self, connected: bool) -> Outcome {
        self.in_room_mut().map_or_else(Outcome::nothing, |room| room.partner_is(connected))
    }

    /// Notified: the room is closed, and this user erased with it.
    pub(crate) fn ended(&mut self, reason: EndReason) -> Outcome {
        self.over(reason).then(FollowUp::Released)
    }

    /// This user leaves, or has left.
    pub(crate) fn left(&mut self) {
        self.place = Place::Idle;
    }

    fn over(&mut self, reason: EndReason) -> Outcome {
        let mut outcome = self.partner(false);
        outcome.events.extend(Outcome::for_current(self.client, ServerEvent::RoomEnded { reason }).events);
        self.place = Place::Idle;
        outcome
    }

    fn in_room(&self) -> Option<&Room> {
        match &self.place {
            Place::Room(room) => Some(room),
            Place::Idle | Place::Waiting { .. } => None,
        }
    }

    fn in_room_mut(&mut self) -> Option<&mut Room> {
        match &mut self.place {
            Place::Room(room) => Some(room),
            Place::Idle | Place::Waiting { .. } => None,
        }
    }
}

impl From<&RoomView> for Room {
    fn from(view: &RoomView) -> Self {
        Self {
            membership: Membership { room: view.room, partner: view.partner },
            entered: view.entered,
            partner_connected: view.started && view.partner_connected,
        }
    }
}

impl Room {
    /// The client is told of changes, once it is in the room.
    fn partner_is(&mut self, connected: bool) -> Outcome {
        let changed = self.entered && self.partner_connected != connected;
        if !changed {
            return Outcome::nothing();
        }
        self.partner_connected = connected;
        Outcome::event(if connected { ServerEvent::UserConnected } else { ServerEvent::UserDisconnected })
    }
}

#[cfg(test)]
#[path = "location_tests.rs"]
mod tests;
