//! Coming back: what somebody is told when they connect, and how they get what they missed.

use crate::{
    error::ApiError,
    listening::waited_ms,
    names::Told,
    payload::{Resumed, Sent, State},
    session::{CATCH_UP, NOTHING, Session},
    state::Shared,
};
use proto::{Message, Place, RoomId, RoomView, UserId, UserView, events::HISTORY_PAGE};
use tokio::time::Instant;

/// About how much text one `resumed` carries, in bytes; more comes in further ones.
const RESUMED_BYTES: usize = 256 * 1024;

impl Session {
    /// First look after connecting. Old clients are told by the events that they know, current
    /// ones by `resumed`.
    pub(crate) async fn arrive(&mut self, view: UserView, last_seq: Option<u64>) {
        self.stay_at(&view.place, last_seq.unwrap_or(if self.modern { 0 } else { view.seen }));
        if self.modern {
            self.resume(&view.place, last_seq).await;
        }
        match view.place {
            Place::Room(room) if room.joined && !self.modern => {
                self.catch_up().await;
                let here = room.begun && room.partner_connected;
                self.emit(if here { Told::UserConnected } else { Told::UserDisconnected }, &NOTHING);
            }
            Place::Room(room) if !room.joined => self.take_up(Place::Room(room)).await,
            Place::Room(_) | Place::Idle | Place::Waiting { .. } => {}
        }
    }

    /// Tells a current client where it stands, and what was said since `last_seq`.
    async fn resume(&mut self, place: &Place, last_seq: Option<u64>) {
        let Some(user_id) = self.who.as_ref().map(|who| who.user) else { return };
        let state = match place {
            Place::Idle if last_seq.is_some() => State::Over,
            Place::Idle => State::Idle,
            Place::Waiting { queue, since_ms } => State::Waiting { queue: *queue, waited_ms: waited_ms(*since_ms) },
            Place::Room(room) => return self.resume_room(user_id, room, last_seq.unwrap_or(0)).await,
        };
        self.emit(Told::Resumed, &Resumed { user_id, state });
    }

    /// In parts, so that a long history does not have to be in memory as a whole.
    async fn resume_room(&mut self, user_id: UserId, view: &RoomView, mut after: u64) {
        loop {
            let Some((missed, more)) = self.missed(user_id, view.room, after).await else { return };
            after = missed.last().map_or(after, |message| message.seq);
            let state = State::Room {
                room_id: view.room,
                partner_connected: view.begun && view.partner_connected,
                last_seq: after,
                messages: missed.iter().map(|message| Sent::to(user_id, message)).collect(),
                more,
            };
            let sent = self.try_emit(Told::Resumed, &Resumed { user_id, state });
            let Some(room) = self.room() else { return };
            room.behind = !sent;
            if !sent {
                self.retry_at = Some(Instant::now() + CATCH_UP);
                return;
            }
            room.cursor.advance(after);
            if !more {
                return;
            }
        }
    }

    /// The next part of what was said after a sequence, and whether there is more.
    async fn missed(&self, user: UserId, room: RoomId, mut after: u64) -> Option<(Vec<Message>, bool)> {
        let mut missed: Vec<Message> = Vec::new();
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
            let more = page.len() == HISTORY_PAGE;
            after = page.last().map_or(after, |message| message.seq);
            missed.extend(page);
            let bytes: usize = missed.iter().map(|message| message.content.len()).sum();
            if !more || bytes > RESUMED_BYTES {
                return Some((missed, more));
            }
        }
    }

    /// Sends a message to the client, unless it is its own. False when the socket is full: the
    /// history has it for later.
    pub(crate) fn send_on(&mut self, message: &Message) -> bool {
        let Some(user) = self.who.as_ref().map(|who| who.user) else { return false };
        let sent = message.author == user || self.try_emit(Told::SendMessageToClient, &Sent::to(user, message));
        if let Some(room) = self.room() {
            if sent {
                room.cursor.advance(message.seq);
                room.trail.note(message.seq);
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
}
