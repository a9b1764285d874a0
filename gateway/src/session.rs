//! One socket's session: a task that handles what the client does and what the bus tells, one
//! after the other, so that nothing overtakes anything. The event table is in [`Session::handle`];
//! `identity` holds whom the socket speaks for, `talking` what clients ask for, `listening` what
//! they are told, `emitting` how; `reasserting` what follows when something was missed.

use crate::{
    cursor::{Cursor, Trail},
    error::{self, ApiError, Envelope},
    inbox::Inbox,
    limits::Pace,
    names::{Said, Told},
    numbers,
    socket::{Authenticated, Closed, Incoming},
    spans,
    state::Shared,
};
use async_nats::Subscriber;
use futures_util::StreamExt as _;
use proto::{Queue, RoomId, UserId};
use serde::Serialize;
use serde_json::Value;
use socketioxide::extract::SocketRef;
use std::{collections::VecDeque, future::pending, sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// How soon to try again to send what a socket could not take, or the history did not tell.
pub(crate) const CATCH_UP: Duration = Duration::from_millis(250);
/// What an event without an argument carries; `()` would be an argument, null.
pub(crate) const NOTHING: [(); 0] = [];

/// A socket and whom it speaks for.
pub(crate) struct Session {
    pub(crate) app: Shared,
    pub(crate) socket: SocketRef,
    pub(crate) closed: Arc<Closed>,
    /// Cancelled when the gateway drains and lets this one go.
    pub(crate) leave: CancellationToken,
    /// Authenticated in the handshake: a current client, which knows all events.
    pub(crate) modern: bool,
    pub(crate) who: Option<Who>,
    /// When to try again what could not be sent.
    pub(crate) retry_at: Option<Instant>,
    /// When to look at the state again, which is not what this session thought.
    pub(crate) look_at: Option<Instant>,
    /// Events that a full socket did not take, for later.
    pub(crate) unsent: VecDeque<(Told, Value)>,
    pace: Pace,
}

/// The user that a socket speaks for.
pub(crate) struct Who {
    pub(crate) user: UserId,
    /// This connection's number at the matcher; 0 while the matcher does not know it, because it has
    /// erased the user. In a room or not is what `stay` says.
    pub(crate) epoch: u64,
    /// Other numbers that the matcher may know this connection by, of which no answer came.
    pub(crate) also: Vec<u64>,
    /// Since when the matcher knows a newer connection, or seems to.
    pub(crate) outrun: Option<Instant>,
    pub(crate) events: Subscriber,
    pub(crate) stay: Stay,
}

/// Where the user is, as far as this socket was told.
pub(crate) enum Stay {
    Idle,
    Waiting { queue: Queue, since_ms: i64 },
    Room(Room),
}

/// The room that the user is in.
pub(crate) struct Room {
    pub(crate) id: RoomId,
    pub(crate) partner: UserId,
    /// This user has entered.
    pub(crate) joined: bool,
    /// The partner has entered, and is told of as being there.
    pub(crate) partner_here: bool,
    pub(crate) cursor: Cursor,
    pub(crate) trail: Trail,
    /// There is more in the history than was sent.
    pub(crate) behind: bool,
}

impl Who {
    pub(crate) fn room(&mut self) -> Option<&mut Room> {
        match &mut self.stay {
            Stay::Room(room) => Some(room),
            Stay::Idle | Stay::Waiting { .. } => None,
        }
    }
}

impl Session {
    pub(crate) fn new(app: Shared, socket: SocketRef, closed: Arc<Closed>, leave: CancellationToken) -> Self {
        let pace = app.limits.pace();
        let (who, retry_at, look_at) = (None, None, None);
        Self { app, socket, closed, leave, modern: false, who, retry_at, look_at, unsent: VecDeque::new(), pace }
    }

    /// Handles everything until the socket is gone, or is let go.
    pub(crate) async fn run(mut self, mut inbox: Inbox, authenticated: Option<Authenticated>) {
        let sockets =
            metrics::gauge!(numbers::SOCKETS, "client" => if authenticated.is_some() { "current" } else { "old" });
        sockets.increment(1);
        let mut resync = self.app.resync.subscribe();
        let mut status = self.app.queue_status.subscribe();
        let (leave, app, sid) = (self.leave.clone(), self.app.clone(), self.socket.id);
        if let Some(Authenticated { user, last_seq }) = authenticated {
            self.modern = true;
            inbox.hold_during(self.identify(user, last_seq)).await;
        }
        loop {
            let waiting = matches!(self.who, Some(Who { stay: Stay::Waiting { .. }, .. }));
            if !waiting {
                // A status of before they waited says nothing to them.
                status.mark_unchanged();
            }
            tokio::select! {
                biased;
                () = leave.cancelled() => break,
                // What the client did before it went comes before its going.
                Some(incoming) = inbox.next() => {
                    metrics::counter!(numbers::REQUESTS, "via" => "socket").increment(1);
                    let span = self.span_of(&incoming.event);
                    inbox.hold_during(self.handle(*incoming).instrument(span)).await;
                }
                () = self.closed.token.cancelled() => break,
                event = next_event(&mut self.who) => {
                    let span = spans::told(self.who.as_ref(), &event);
                    inbox.hold_during(self.hear(&event).instrument(span)).await;
                }
                Ok(()) = resync.changed() => {
                    let why = *resync.borrow_and_update();
                    inbox.hold_during(self.look_again(why)).await;
                }
                Ok(()) = status.changed(), if waiting => { let now = *status.borrow_and_update(); self.tell_status(now) }
                () = until(self.retry_at) => self.send_the_rest().await,
                () = until(self.look_at) => inbox.hold_during(self.look()).await,
            }
        }
        self.end().await;
        app.present.leave(sid);
        sockets.decrement(1);
    }

    /// The table of what clients say. The first group is what old clients say, with their secret
    /// as the only argument and no acknowledgement; the second is what current clients ask for.
    async fn handle(&mut self, incoming: Incoming) {
        if let Err(error) = self.pace.keep() {
            return self.refuse(incoming, error);
        }
        let Ok(said) = incoming.event.parse() else { return self.refuse(incoming, ApiError::UnknownEvent) };
        match said {
            Said::Hello | Said::RegisterSid => self.hello(&incoming).await,
            Said::JoinRoom => self.join_room(incoming).await,
            Said::LeaveRoom => self.leave_room(incoming).await,

            Said::RequestQueue => self.request_queue(incoming).await,
            Said::SendMessage => self.send_message(incoming).await,
            Said::LikeMessage => self.like_message(incoming).await,
            Said::Typing => self.typing(incoming).await,
        }
    }

    /// Answers a client that asked for an answer.
    pub(crate) fn answer<T: Serialize>(&self, incoming: Incoming, result: Result<T, ApiError>) {
        acknowledge(incoming.ack, result);
    }

    fn refuse(&self, incoming: Incoming, error: ApiError) {
        self.answer::<()>(incoming, Err(error));
    }
}

/// Sends an acknowledgement, if the client wants one.
pub(crate) fn acknowledge<T: Serialize>(ack: socketioxide::extract::AckSender, result: Result<T, ApiError>) {
    if let Err(error) = &result {
        error::note(error);
    }
    if let Err(error) = ack.send(&Envelope::of(result)) {
        tracing::debug!(%error, "an acknowledgement was not sent; the client's time-out tells it");
    }
}

async fn next_event(who: &mut Option<Who>) -> async_nats::Message {
    match who {
        Some(who) => match who.events.next().await {
            Some(event) => event,
            None => pending().await,
        },
        None => pending().await,
    }
}

pub(crate) async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => pending().await,
    }
}
