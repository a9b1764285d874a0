//! What the bus tells a user, and what the user's client is told of it.

use crate::{
    cursor::{Cursor, Next, Trail},
    names::Told,
    payload::{Changed, Ended, Liked, QueueComplete, Returned, Status},
    session::{NOTHING, Room, Session, Stay},
};
use proto::{
    Live, Message, Place, Queue, RoomId, RoomView, UserId,
    bus::now_ms,
    events::{EndReason, QueueStatus},
    subjects,
};

impl Session {
    /// What the bus tells this user.
    pub(crate) async fn hear(&mut self, event: &async_nats::Message) {
        let room = subjects::room_of_live(&event.subject);
        match serde_json::from_slice::<Live>(&event.payload) {
            Ok(live) => self.heard(live, room).await,
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                tracing::error!(bus.subject = %event.subject, line, column, "an event cannot be read");
            }
        }
    }

    async fn heard(&mut self, live: Live, room: Option<RoomId>) {
        match live {
            Live::Queued { queue, since_ms } => self.queued(queue, since_ms).await,
            // Told before the user left, and heard after it.
            Live::Matched(_) if self.who.as_ref().is_none_or(|who| who.epoch == 0) => {}
            Live::Matched(view) => self.take_up(Place::Room(view)).await,
            Live::Moved { from, to } => self.moved(from, to),
            Live::Replaced { epoch } => self.replaced(epoch),
            // All others speak of a room, and of none but the one that this user is in.
            _ if room.is_none() || room != self.room().map(|room| room.id) => {}
            Live::Unmatched { queue, since_ms } => self.unmatched(queue, since_ms),
            Live::Joined { user, begun } => self.joined(user, begun).await,
            Live::Partner { connected } => self.partner_is(connected),
            Live::Ended { reason } => self.ended(reason).await,
            Live::Message(message) => self.message(message).await,
            Live::Liked { message_id, user_id } => {
                self.emit(Told::MessageLiked, &Liked { message_id, user_id });
            }
            // Now or never.
            Live::Typing { typing: true } => drop(self.try_emit(Told::PartnerStartsTyping, &NOTHING)),
            Live::Typing { typing: false } => drop(self.try_emit(Told::PartnerStopsTyping, &NOTHING)),
        }
    }

    pub(crate) fn room(&mut self) -> Option<&mut Room> {
        self.who.as_mut()?.room()
    }

    /// Notes a place; a room from this sequence on.
    pub(crate) fn stay_at(&mut self, place: &Place, seq: u64) {
        let patience = self.app.config.ping_interval + self.app.config.ping_timeout;
        self.stay(match place {
            Place::Idle => Stay::Idle,
            Place::Waiting { queue, since_ms } => Stay::Waiting { queue: *queue, since_ms: *since_ms },
            Place::Room(room) => Stay::Room(Room {
                id: room.room,
                partner: room.partner,
                joined: room.joined,
                partner_here: room.begun && room.partner_connected,
                cursor: Cursor::after(seq),
                trail: Trail::after(seq, patience),
                behind: false,
            }),
        });
    }

    /// Where the user is, after a match, an entrance, or a second look.
    pub(crate) async fn take_up(&mut self, place: Place) {
        match place {
            Place::Room(room) => self.take_up_room(room).await,
            Place::Waiting { queue, since_ms } => match self.room() {
                Some(_) => self.unmatched(queue, since_ms),
                None => self.stay(Stay::Waiting { queue, since_ms }),
            },
            Place::Idle => match self.who.as_ref().map(|who| &who.stay) {
                Some(Stay::Room(_)) => self.over(EndReason::Gone),
                Some(Stay::Waiting { queue, .. }) => self.wait_again(*queue).await,
                Some(Stay::Idle) | None => {}
            },
        }
    }

    async fn take_up_room(&mut self, view: RoomView) {
        let known = self.room().filter(|room| room.id == view.room).map(|room| room.joined);
        match known {
            // Announced until entered, by every tick; this client is on its way.
            Some(true) if !view.joined => {}
            Some(true) => {
                self.partner_is(view.begun && view.partner_connected);
                self.catch_up().await;
            }
            _ => {
                if known.is_none() {
                    self.stay_at(&Place::Room(view), 0);
                }
                self.announce().await;
            }
        }
    }

    /// Tells of a match. Current clients are in the room by that; old ones send `join_room`.
    async fn announce(&mut self) {
        let Some(user_id) = self.who.as_ref().map(|who| who.user) else { return };
        self.emit(Told::QueueComplete, &QueueComplete { user_id });
        if self.modern {
            self.try_to_join().await;
        }
    }

    async fn try_to_join(&mut self) {
        if let Err(error) = self.join().await {
            tracing::debug!(%error, "could not enter yet; the next announcement tries again");
        }
    }

    /// In the room from now on.
    pub(crate) async fn entered(&mut self, view: RoomView) {
        if self.room().is_none_or(|room| room.id != view.room) {
            self.stay_at(&Place::Room(view.clone()), 0);
        }
        let here = view.begun && view.partner_connected;
        let Some(room) = self.room() else { return };
        let news = here && !room.partner_here;
        (room.joined, room.partner_here) = (true, here);
        let behind = room.behind;
        // Old clients wait for this answer to `join_room`, also when they are the first.
        if news || !self.modern {
            self.emit(Told::UserConnected, &NOTHING);
        }
        if behind {
            self.catch_up().await;
        }
    }

    async fn queued(&mut self, queue: Queue, since_ms: i64) {
        if self.room().is_none() {
            self.stay(Stay::Waiting { queue, since_ms });
        }
        // The matcher had let go of this user, and does not know the socket any more.
        if self.who.as_ref().is_some_and(|who| who.epoch == 0) {
            self.reconnect(0).await;
        }
    }

    fn moved(&mut self, from: Queue, to: Queue) {
        if let Some(Stay::Waiting { queue, .. }) = self.who.as_mut().map(|who| &mut who.stay) {
            *queue = to;
        }
        if self.modern {
            self.emit(Told::QueueChanged, &Changed { from, to });
        }
    }

    fn unmatched(&mut self, queue: Queue, since_ms: i64) {
        self.stay(Stay::Waiting { queue, since_ms });
        if self.modern {
            self.emit(Told::QueueReturned, &Returned { queue, waited_ms: waited_ms(since_ms) });
        }
    }

    fn replaced(&mut self, epoch: u64) {
        if self.who.as_ref().is_some_and(|who| who.epoch != 0 && who.epoch < epoch) {
            self.look_twice();
        }
    }

    async fn joined(&mut self, user: UserId, begun: bool) {
        let Some(room) = self.room() else { return };
        if room.partner == user && begun {
            self.partner_is(true);
        } else if room.partner != user && !room.joined {
            // The answer came too late. A second one tells where the partner is.
            self.try_to_join().await;
        }
    }

    fn partner_is(&mut self, here: bool) {
        let Some(room) = self.room().filter(|room| room.joined) else { return };
        if std::mem::replace(&mut room.partner_here, here) != here {
            self.emit(if here { Told::UserConnected } else { Told::UserDisconnected }, &NOTHING);
        }
    }

    /// The matcher has ended the room, and erased this user with it; unless they are back since, and it tells so for
    /// the second time.
    async fn ended(&mut self, reason: EndReason) {
        self.over(reason);
        let Some((user, epoch)) = self.who.as_ref().map(|who| (who.user, who.epoch)) else { return };
        if !matches!(self.app.view(user).await, Ok(view) if view.epoch == epoch) {
            self.let_go();
        }
    }

    /// Out of the room. Whether the matcher knows this connection is another question.
    fn over(&mut self, reason: EndReason) {
        self.partner_is(false);
        if self.modern {
            self.emit(Told::RoomEnded, &Ended { reason });
        }
        self.stay(Stay::Idle);
    }

    async fn message(&mut self, message: Message) {
        tracing::Span::current().record("message.id", tracing::field::display(message.id));
        let Some(room) = self.room() else { return };
        match room.cursor.next(message.seq) {
            Next::Skip => {}
            Next::Send if room.joined && !room.behind => {
                self.send_on(&message);
            }
            Next::Send | Next::Gap => {
                room.behind = true;
                self.catch_up().await;
            }
        }
    }

    /// Tells a current client how long it has waited, and how many wait.
    pub(crate) fn tell_status(&self, waiting: QueueStatus) {
        if let (true, Some(Stay::Waiting { queue, since_ms })) = (self.modern, self.who.as_ref().map(|who| &who.stay)) {
            // The next tick tells again.
            self.try_emit(Told::QueueStatus, &Status { queue: *queue, waited_ms: waited_ms(*since_ms), waiting });
        }
    }
}

pub(crate) fn waited_ms(since_ms: i64) -> i64 {
    (now_ms() - since_ms).max(0)
}
