//! Coming back: what somebody is told when they connect, and how they get what they missed.

use crate::{
    cursor::Cursor,
    error::ApiError,
    listening::{stay_of, waited_ms},
    payload::{Resumed, Sent},
    session::{NOTHING, Session},
    state::Shared,
};
use proto::{Message, Place, RoomId, UserId, UserView, events::HISTORY_PAGE};
use std::time::Duration;
use tokio::time::Instant;

/// How soon to try again to send what a socket could not take, or the history did not tell.
const CATCH_UP: Duration = Duration::from_millis(250);

impl Session {
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
                self.emit(if here { "user_connected" } else { "user_disconnected" }, &NOTHING);
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

    /// Sends a message to the client, unless it is its own. False when the socket is full: the
    /// history has it for later.
    pub(crate) fn send_on(&mut self, message: &Message) -> bool {
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
}
