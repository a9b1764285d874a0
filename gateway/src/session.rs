//! One socket's session: a task that handles what the client does and what the bus tells, one
//! after the other, so that nothing overtakes anything. The event table is in [`Session::handle`];
//! `talking` holds what clients ask for, `listening` what they are told.

use crate::{
    cursor::Cursor,
    error::{ApiError, Envelope},
    socket::{Authenticated, Closed, Incoming},
    state::{Membership, Resync, Shared},
};
use async_nats::Subscriber;
use futures_util::StreamExt as _;
use proto::{Queue, RoomId, UserCommand, UserId, UserView, commands::Loss, subjects};
use serde::Serialize;
use socketioxide::{SendError, SocketError, extract::SocketRef};
use std::{future::pending, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// How soon to try again what the bus did not answer.
const RETRY: Duration = Duration::from_millis(500);

/// What an event without an argument carries; `()` would be an argument, null.
pub(crate) const NOTHING: [(); 0] = [];

/// A socket and whom it speaks for.
pub(crate) struct Session {
    pub(crate) app: Shared,
    pub(crate) socket: SocketRef,
    closed: Arc<Closed>,
    /// Authenticated in the handshake: a current client, which knows all events.
    pub(crate) modern: bool,
    pub(crate) who: Option<Who>,
    /// When to look into the history again, because something could not be sent.
    pub(crate) retry_at: Option<Instant>,
}

/// The user that a socket speaks for.
pub(crate) struct Who {
    pub(crate) user: UserId,
    /// This connection's number at the matcher; 0 when the matcher has let go of the user.
    pub(crate) epoch: u64,
    events: Subscriber,
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
    pub(crate) fn new(app: Shared, socket: SocketRef, closed: Arc<Closed>) -> Self {
        Self { app, socket, closed, modern: false, who: None, retry_at: None }
    }

    /// Handles everything until the socket is gone or the gateway drains.
    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Box<Incoming>>, authenticated: Option<Authenticated>) {
        metrics::gauge!("talk_sockets").increment(1);
        let mut resync = self.app.resync.subscribe();
        let mut status = self.app.queue_status.subscribe();
        let draining = self.app.draining.clone();
        if let Some(Authenticated { user, last_seq }) = authenticated {
            self.modern = true;
            self.identify(user, last_seq).await;
        }
        loop {
            let waiting = matches!(self.who, Some(Who { stay: Stay::Waiting { .. }, .. }));
            tokio::select! {
                // What the client did before it went comes first.
                biased;
                Some(incoming) = inbox.recv() => self.handle(*incoming).await,
                () = self.closed.token.cancelled() => break,
                () = draining.cancelled() => break,
                event = next_event(&mut self.who) => self.hear(&event).await,
                Ok(()) = resync.changed() => { let now = *resync.borrow_and_update(); self.look_again(now).await }
                Ok(()) = status.changed(), if waiting => { let now = *status.borrow_and_update(); self.tell_status(now) }
                () = until(self.retry_at) => { self.retry_at = None; self.catch_up().await }
            }
        }
        self.end().await;
        metrics::gauge!("talk_sockets").decrement(1);
    }

    /// The table of what clients say. The first group is what old clients say, with their secret
    /// as the only argument and no acknowledgement; the second is what current clients ask for.
    async fn handle(&mut self, incoming: Incoming) {
        match incoming.event.as_str() {
            "hello" | "register_sid" => self.hello(&incoming).await,
            "join_room" => self.join_room(incoming).await,
            "leave_room" => self.leave_room(incoming).await,

            "request_queue" => self.request_queue(incoming).await,
            "send_message" => self.send_message(incoming).await,
            "like_message" => self.like_message(incoming).await,
            "typing" => self.typing(incoming).await,
            _ => self.refuse(incoming, ApiError::UnknownEvent),
        }
    }

    /// From now on this socket speaks for this user, and for nobody else.
    pub(crate) async fn identify(&mut self, user: UserId, last_seq: Option<u64>) {
        match &self.who {
            Some(who) if who.user == user && who.epoch != 0 => return,
            Some(who) if who.user != user => self.abandon().await,
            _ => {}
        }
        // Subscribed before the matcher is told: on one connection the order holds, so that no
        // event falls between the answer and the subscription.
        let subscribe = move |app: Shared| async move { app.bus.client.subscribe(subjects::live_of(user)).await.ok() };
        let Some(events) = self.persist(subscribe).await else { return };
        self.who = Some(Who { user, epoch: 0, events, stay: Stay::Idle });
        if let Some(view) = self.connect(None).await {
            self.arrive(view, last_seq).await;
        }
    }

    /// Tells the matcher that this socket speaks for its user. Nothing when the socket is gone
    /// before an answer came, or when a newer one speaks.
    pub(crate) async fn connect(&mut self, reassert: Option<u64>) -> Option<UserView> {
        let user = self.who.as_ref()?.user;
        let command = UserCommand::Connected { user, gateway: self.app.id.clone(), reassert };
        let ask = move |app: Shared| {
            let command = command.clone();
            async move {
                match app.asker.ask::<UserView>(&command).await {
                    Err(ApiError::Unavailable) => None,
                    answer => Some(answer.ok()),
                }
            }
        };
        let answer = self.persist(ask).await??;
        self.who.as_mut()?.epoch = answer.epoch;
        Some(answer)
    }

    /// Tries until it works, or the socket is gone.
    pub(crate) async fn persist<T, F>(&self, attempt: impl Fn(Shared) -> F + Send) -> Option<T>
    where
        F: Future<Output = Option<T>> + Send,
    {
        let (closed, draining) = (self.closed.token.clone(), self.app.draining.clone());
        loop {
            tokio::select! {
                done = attempt(self.app.clone()) => if done.is_some() { return done },
                () = closed.cancelled() => return None,
                () = draining.cancelled() => return None,
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Looks at the state again, because something may have been missed.
    async fn look_again(&mut self, reason: Resync) {
        let Some(who) = self.who.as_ref().filter(|who| who.epoch != 0) else { return };
        let (user, epoch) = (who.user, who.epoch);
        tracing::debug!(user.id = %user, ?reason, "looks at the state again");
        if let Some(view) = self.connect(Some(epoch)).await {
            self.take_up(view.place).await;
        } else if !self.closed.token.is_cancelled() {
            self.fall_silent();
        }
    }

    /// Notes where the user is, and what follows for messages by REST.
    pub(crate) fn stay(&mut self, stay: Stay) {
        let Some(who) = &mut self.who else { return };
        match &stay {
            Stay::Room(room) => {
                self.app.memberships.enter(who.user, Membership { room: room.id, partner: room.partner });
            }
            Stay::Idle | Stay::Waiting { .. } => self.app.memberships.leave(who.user),
        }
        who.stay = stay;
    }

    /// A newer socket speaks for the user.
    pub(crate) fn fall_silent(&mut self) {
        self.stay(Stay::Idle);
        self.who = None;
        if self.modern {
            self.emit("replaced", &NOTHING);
            // Otherwise two copies of one tab would take the conversation from each other for ever.
            if let Err(error) = self.socket.clone().disconnect() {
                tracing::debug!(%error, "a replaced socket is busy");
            }
        }
    }

    /// The user of this socket is gone for good: room or queue are left.
    async fn abandon(&mut self) {
        self.stay(Stay::Idle);
        let Some(who) = self.who.take() else { return };
        if who.epoch != 0 {
            self.app.asker.insist(&UserCommand::Left { user: who.user }).await;
        }
    }

    /// The socket is gone, or has to go.
    async fn end(mut self) {
        if !self.modern && self.closed.by_goodbye() {
            return self.abandon().await;
        }
        let Some(Who { user, epoch, stay, .. }) = self.who.take() else { return };
        self.app.memberships.leave(user);
        if epoch == 0 {
            return;
        }
        let seen = if let Stay::Room(room) = &stay { room.cursor.seq() } else { 0 };
        let cause = if self.closed.token.is_cancelled() { Loss::Lost } else { Loss::Drained };
        self.app.asker.insist(&UserCommand::Disconnected { user, epoch, seen, cause }).await;
    }

    /// Emits an event. A socket that does not keep up loses it, except for messages, which
    /// come again from the history.
    pub(crate) fn emit<T: Serialize + ?Sized>(&self, event: &'static str, payload: &T) -> bool {
        match self.socket.emit(event, payload) {
            Ok(()) => true,
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                metrics::counter!("talk_slow_sockets_total").increment(1);
                false
            }
            // Its disconnect is on the way.
            Err(_closed) => false,
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
        metrics::counter!("talk_rejected_total", "reason" => error.code()).increment(1);
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

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => pending().await,
    }
}
