//! What clients are told over their socket.

use crate::{
    cursor::{Cursor, Next},
    error::ApiError,
    session::{Room, Session, Stay},
    state::Shared,
};
use proto::{
    Live, Message, MessageId, Place, Queue, RoomId, RoomView, UserId, UserView,
    bus::now_ms,
    events::{EndReason, HISTORY_PAGE, QueueStatus},
    subjects,
};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// How soon to try again to send what a socket could not take, or the history did not tell.
const CATCH_UP: Duration = Duration::from_millis(250);

/// A message as the clients' contract has it.
#[derive(Serialize)]
struct Sent<'a> {
    #[serde(flatten)]
    message: &'a Message,
    message_id: &'a str,
    incoming: bool,
}

/// Where a current client stands when it connects.
#[derive(Serialize)]
struct Resumed {
    user_id: UserId,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<Queue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waited_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<RoomId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner_connected: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message>>,
}

#[derive(Serialize)]
struct QueueComplete {
    user_id: UserId,
}

#[derive(Serialize)]
struct Returned {
    queue: Queue,
    waited_ms: i64,
}

#[derive(Serialize)]
struct Status {
    queue: Queue,
    waited_ms: i64,
    waiting: QueueStatus,
}

#[derive(Serialize)]
struct Changed {
    from: Queue,
    to: Queue,
}

#[derive(Serialize)]
struct Liked {
    message_id: MessageId,
    user_id: UserId,
}

#[derive(Serialize)]
struct Ended {
    reason: EndReason,
}

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
            Live::Matched(view) => self.take_up(Place::Room(view)).await,
            Live::Moved { from, to } => self.moved(from, to),
            Live::Replaced { epoch } => self.replaced(epoch),
            // All others speak of a room, and of none but the one that this user is in.
            _ if room.is_none() || room != self.room().map(|room| room.id) => {}
            Live::Unmatched { queue, since_ms } => self.unmatched(queue, since_ms),
            Live::Joined { user, begun } => self.joined(user, begun),
            Live::Partner { connected } => self.partner_is(connected),
            Live::Ended { reason } => self.ended(reason),
            Live::Message(message) => self.message(message).await,
            Live::Liked { message_id, user_id } => {
                self.emit("message_liked", &Liked { message_id, user_id });
            }
            Live::Typing { typing: true } => {
                self.emit("partner_starts_typing", &());
            }
            Live::Typing { typing: false } => {
                self.emit("partner_stops_typing", &());
            }
        }
    }

    pub(crate) fn room(&mut self) -> Option<&mut Room> {
        self.who.as_mut()?.room()
    }

    /// First look after connecting. Old clients are told by the events that they know, current
    /// ones by `resumed`.
    pub(crate) async fn arrive(&mut self, view: UserView, last_seq: Option<u64>) {
        let cursor = Cursor::after(last_seq.unwrap_or(if self.modern { 0 } else { view.seen }));
        self.stay(stay_of(&view.place, cursor));
        if self.modern {
            self.resume(&view.place, last_seq).await;
        }
        match view.place {
            Place::Room(room) if room.joined && !self.modern => {
                self.catch_up().await;
                let here = room.begun && room.partner_connected;
                self.emit(if here { "user_connected" } else { "user_disconnected" }, &());
            }
            Place::Room(room) if !room.joined => self.take_up(Place::Room(room)).await,
            Place::Room(_) | Place::Idle | Place::Waiting { .. } => {}
        }
    }

    async fn resume(&mut self, place: &Place, last_seq: Option<u64>) {
        let Some(user_id) = self.who.as_ref().map(|who| who.user) else { return };
        let mut resumed = Resumed {
            user_id,
            state: "idle",
            queue: None,
            waited_ms: None,
            room_id: None,
            partner_connected: None,
            last_seq: None,
            messages: None,
        };
        match place {
            Place::Idle if last_seq.is_some() => resumed.state = "over",
            Place::Idle => {}
            Place::Waiting { queue, since_ms } => {
                resumed.state = "waiting";
                resumed.queue = Some(*queue);
                resumed.waited_ms = Some(waited_ms(*since_ms));
            }
            Place::Room(room) => {
                let Some(messages) = self.missed(user_id, room.room, last_seq.unwrap_or(0)).await else { return };
                resumed.state = "room";
                resumed.room_id = Some(room.room);
                resumed.partner_connected = Some(room.begun && room.partner_connected);
                resumed.last_seq = Some(messages.last().map_or(last_seq.unwrap_or(0), |message| message.seq));
                resumed.messages = Some(messages);
            }
        }
        self.emit("resumed", &resumed);
        if let (Some(room), Some(seq)) = (self.room(), resumed.last_seq) {
            room.cursor.advance(seq);
            room.behind = false;
        }
    }

    /// Everything that was said after a sequence.
    async fn missed(&self, user: UserId, room: RoomId, mut after: u64) -> Option<Vec<Message>> {
        let mut missed = Vec::new();
        loop {
            let read = move |app: Shared| async move {
                match app.history(user, room, after).await {
                    Ok(history) => Some(history.messages),
                    // It ended just now; that is told apart.
                    Err(ApiError::NotInRoom) => Some(Vec::new()),
                    Err(_away) => None,
                }
            };
            let page = self.persist(read).await?;
            let last_page = page.len() < HISTORY_PAGE;
            after = page.last().map_or(after, |message| message.seq);
            missed.extend(page);
            if last_page {
                return Some(missed);
            }
        }
    }

    /// Where the user is, after a match, an entrance, or a second look.
    pub(crate) async fn take_up(&mut self, place: Place) {
        match place {
            Place::Room(room) => self.take_up_room(room).await,
            Place::Waiting { queue, since_ms } => match self.room() {
                Some(_) => self.unmatched(queue, since_ms),
                None => self.stay(Stay::Waiting { queue, since_ms }),
            },
            Place::Idle => match self.room() {
                Some(_) => self.ended(EndReason::Gone),
                None => self.stay(Stay::Idle),
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
                    self.stay(stay_of(&Place::Room(view), Cursor::after(0)));
                }
                self.announce().await;
            }
        }
    }

    /// Tells of a match. Current clients are in the room by that; old ones send `join_room`.
    async fn announce(&mut self) {
        let Some(user_id) = self.who.as_ref().map(|who| who.user) else { return };
        self.emit("queue_complete", &QueueComplete { user_id });
        if self.modern
            && let Err(error) = self.join().await
        {
            tracing::debug!(%error, "could not enter yet; the next announcement tries again");
        }
    }

    /// In the room from now on.
    pub(crate) async fn entered(&mut self, view: RoomView) {
        if self.room().is_none_or(|room| room.id != view.room) {
            self.stay(stay_of(&Place::Room(view.clone()), Cursor::after(0)));
        }
        let here = view.begun && view.partner_connected;
        let Some(room) = self.room() else { return };
        let news = here && !room.partner_here;
        (room.joined, room.partner_here) = (true, here);
        let behind = room.behind;
        // Old clients wait for this answer to `join_room`, also when they are the first.
        if news || !self.modern {
            self.emit("user_connected", &());
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
        if self.who.as_ref().is_some_and(|who| who.epoch == 0)
            && let Some(view) = self.connect(None).await
        {
            self.take_up(view.place).await;
        }
    }

    fn moved(&mut self, from: Queue, to: Queue) {
        if let Some(Stay::Waiting { queue, .. }) = self.who.as_mut().map(|who| &mut who.stay) {
            *queue = to;
        }
        self.emit("queue_changed", &Changed { from, to });
    }

    fn unmatched(&mut self, queue: Queue, since_ms: i64) {
        self.stay(Stay::Waiting { queue, since_ms });
        self.emit("queue_returned", &Returned { queue, waited_ms: waited_ms(since_ms) });
    }

    fn replaced(&mut self, epoch: u64) {
        if self.who.as_ref().is_some_and(|who| who.epoch != 0 && who.epoch < epoch) {
            self.fall_silent();
        }
    }

    fn joined(&mut self, user: UserId, begun: bool) {
        if self.room().is_some_and(|room| room.partner == user) && begun {
            self.partner_is(true);
        }
    }

    fn partner_is(&mut self, here: bool) {
        let Some(room) = self.room().filter(|room| room.joined) else { return };
        if std::mem::replace(&mut room.partner_here, here) != here {
            self.emit(if here { "user_connected" } else { "user_disconnected" }, &());
        }
    }

    fn ended(&mut self, reason: EndReason) {
        self.partner_is(false);
        if self.modern {
            self.emit("room_ended", &Ended { reason });
        }
        if let Some(who) = &mut self.who {
            who.epoch = 0;
        }
        self.stay(Stay::Idle);
    }

    async fn message(&mut self, message: Message) {
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

    /// Sends a message to the client, unless it is its own. False when the socket is full: the
    /// history has it for later.
    fn send_on(&mut self, message: &Message) -> bool {
        let Some(user) = self.who.as_ref().map(|who| who.user) else { return false };
        let sent = message.author == user
            || self.emit("send_message_to_client", &Sent { message, message_id: &message.nonce, incoming: true });
        if let Some(room) = self.room() {
            if sent {
                room.cursor.advance(message.seq);
            } else {
                room.behind = true;
                self.retry_at = Some(Instant::now() + CATCH_UP);
            }
        }
        sent
    }

    /// Sends what the history has after the last message that was sent.
    pub(crate) async fn catch_up(&mut self) {
        loop {
            let Some(user) = self.who.as_ref().map(|who| who.user) else { return };
            let Some((id, after)) = self.room().filter(|room| room.joined).map(|room| (room.id, room.cursor.seq()))
            else {
                return;
            };
            let messages = match self.app.history(user, id, after).await {
                Ok(history) => history.messages,
                Err(ApiError::NotInRoom) => return,
                Err(_away) => {
                    self.retry_at = Some(Instant::now() + CATCH_UP);
                    return;
                }
            };
            if !messages.iter().all(|message| self.send_on(message)) {
                return;
            }
            if messages.len() < HISTORY_PAGE {
                if let Some(room) = self.room() {
                    room.behind = false;
                }
                return;
            }
        }
    }

    /// Tells a current client how long it has waited, and how many wait.
    pub(crate) fn tell_status(&self, waiting: QueueStatus) {
        if let (true, Some(Stay::Waiting { queue, since_ms })) = (self.modern, self.who.as_ref().map(|who| &who.stay)) {
            self.emit("queue_status", &Status { queue: *queue, waited_ms: waited_ms(*since_ms), waiting });
        }
    }
}

fn waited_ms(since_ms: i64) -> i64 {
    (now_ms() - since_ms).max(0)
}

fn stay_of(place: &Place, cursor: Cursor) -> Stay {
    match place {
        Place::Idle => Stay::Idle,
        Place::Waiting { queue, since_ms } => Stay::Waiting { queue: *queue, since_ms: *since_ms },
        Place::Room(room) => Stay::Room(Room {
            id: room.room,
            partner: room.partner,
            joined: room.joined,
            partner_here: room.begun && room.partner_connected,
            cursor,
            behind: false,
        }),
    }
}
