//! Whom a socket speaks for: from `hello` or the handshake until it is gone, or a newer socket
//! speaks for the same user.

use crate::{
    error::ApiError,
    names::Told,
    session::{NOTHING, Session, Stay, Who},
    state::{Membership, Resync, Shared},
};
use proto::{CommandId, Place, UserCommand, UserId, UserView, commands::Loss, subjects};
use std::{cmp::Ordering, time::Duration};

/// How soon to try again what the bus did not answer.
const RETRY: Duration = Duration::from_millis(500);
/// Over how many milliseconds the sessions of a gateway spread their second looks.
const SPREAD_MS: u128 = 500;

/// What telling the matcher of a connection came to.
pub(crate) enum Connected {
    /// It counts, and this is where its user is.
    As(UserView),
    /// It does not count, or no longer.
    Refused,
    /// The gateway lets this session go.
    Cut,
}

impl Session {
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
        if self.closed.token.is_cancelled() {
            return;
        }
        if let Connected::As(view) = self.connect(None).await {
            self.arrive(view, last_seq).await;
        }
    }

    /// Tells the matcher that this socket speaks for its user, again and again while it does not answer. A socket
    /// that is gone says nothing more: it would silence a newer one. What it has said is taken back.
    pub(crate) async fn connect(&mut self, reassert: Option<u64>) -> Connected {
        let Some(user) = self.who.as_ref().map(|who| who.user) else { return Connected::Refused };
        let command = UserCommand::Connected { user, gateway: self.app.id.clone(), reassert };
        let mut said = Vec::new();
        let trying = async {
            while !self.closed.token.is_cancelled() {
                if self.app.bus.connected() {
                    let id = CommandId::new();
                    said.push(id);
                    match self.app.asker.ask_as::<UserView>(id, &command).await {
                        Err(ApiError::Unavailable) => {}
                        answer => return answer.ok(),
                    }
                }
                tokio::time::sleep(RETRY).await;
            }
            None
        };
        let answer = match self.leave.run_until_cancelled(trying).await {
            Some(Some(view)) => view,
            Some(None) => {
                self.take_back(user, said).await;
                return Connected::Refused;
            }
            None => return Connected::Cut,
        };
        if let Some(who) = &mut self.who {
            who.epoch = answer.epoch;
        }
        Connected::As(answer)
    }

    /// Of what was said and not answered the last that is in the stream counts, or will: by its place there the
    /// matcher is told that this connection is gone, perhaps before it hears of it.
    async fn take_back(&mut self, user: UserId, said: Vec<CommandId>) {
        if !self.closed.token.is_cancelled() {
            return;
        }
        let nothing = UserCommand::Disconnected { user, epoch: 0, seen: 0, cause: Loss::Lost };
        for id in said.into_iter().rev() {
            if let Some(epoch) = self.app.asker.take_back(id, &nothing).await {
                if let Some(who) = &mut self.who {
                    who.epoch = who.epoch.max(epoch);
                }
                return;
            }
        }
    }

    /// Tries until it works, or the socket is gone.
    pub(crate) async fn persist<T, F>(&self, attempt: impl Fn(Shared) -> F + Send) -> Option<T>
    where
        F: Future<Output = Option<T>> + Send,
    {
        let (closed, leave) = (self.closed.token.clone(), self.leave.clone());
        loop {
            tokio::select! {
                done = attempt(self.app.clone()) => if done.is_some() { return done },
                () = closed.cancelled() => return None,
                () = leave.cancelled() => return None,
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Looks at the state again, because something may have been missed.
    pub(crate) async fn look_again(&mut self, why: Resync) {
        let Some(who) = &self.who else { return };
        let (user, epoch) = (who.user, who.epoch);
        tracing::debug!(user.id = %user, ?why, "looks at the state again");
        // Everybody on this gateway does so now.
        let spread = Duration::from_millis(u64::try_from(user.as_u128() % SPREAD_MS).unwrap_or(0));
        tokio::time::sleep(spread).await;
        let read = move |app: Shared| async move {
            match app.view(user).await {
                Err(ApiError::Unavailable) => None,
                answer => Some(answer),
            }
        };
        let Some(Ok(view)) = self.persist(read).await else { return };
        match view.epoch.cmp(&epoch) {
            Ordering::Equal => self.settle(view).await,
            // The matcher thinks that this connection is gone.
            Ordering::Less => self.reconnect(epoch).await,
            Ordering::Greater if epoch != 0 => self.fall_silent(),
            // Another socket has taken up a user whom this one has let go of.
            Ordering::Greater => {}
        }
    }

    /// The matcher knows this connection, or none while this socket has let go of its user.
    async fn settle(&mut self, view: UserView) {
        // Queued since, although the event that says so was missed.
        if view.epoch == 0 && view.place != Place::Idle {
            return self.reconnect(0).await;
        }
        self.take_up(view.place).await;
    }

    /// Says again that this socket speaks for its user, unless a newer one does.
    pub(crate) async fn reconnect(&mut self, epoch: u64) {
        let mut connected = self.connect(Some(epoch).filter(|epoch| *epoch != 0)).await;
        if let (Connected::Refused, Some(user)) = (&connected, self.who.as_ref().map(|who| who.user)) {
            match self.app.view(user).await {
                Ok(view) if view.epoch > epoch => return self.fall_silent(),
                // The matcher has erased the user meanwhile.
                _ => connected = self.connect(None).await,
            }
        }
        if let Connected::As(view) = connected {
            self.take_up(view.place).await;
        }
    }

    /// Notes where the user is, and what follows for messages by REST.
    pub(crate) fn stay(&mut self, stay: Stay) {
        let Some(who) = &mut self.who else { return };
        match &stay {
            Stay::Room(room) => {
                let membership = Membership { room: room.id, partner: room.partner };
                self.app.memberships.enter(who.user, who.epoch, membership);
            }
            Stay::Idle | Stay::Waiting { .. } => self.app.memberships.leave(who.user, who.epoch),
        }
        who.stay = stay;
    }

    /// A newer socket speaks for the user.
    pub(crate) fn fall_silent(&mut self) {
        self.stay(Stay::Idle);
        self.who = None;
        if self.modern {
            self.emit(Told::Replaced, &NOTHING);
            // Otherwise two copies of one tab would take the conversation from each other for ever.
            if let Err(error) = self.socket.clone().disconnect() {
                tracing::debug!(%error, "a replaced socket is busy");
            }
        }
    }

    /// The matcher has erased the user: a new wish of theirs needs a new connection.
    pub(crate) fn let_go(&mut self) {
        self.stay(Stay::Idle);
        if let Some(who) = &mut self.who {
            who.epoch = 0;
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
    pub(crate) async fn end(mut self) {
        if !self.modern && self.closed.by_goodbye() {
            return self.abandon().await;
        }
        let Some(Who { user, epoch, mut stay, .. }) = self.who.take() else { return };
        self.app.memberships.leave(user, epoch);
        if epoch == 0 {
            return;
        }
        let seen = match &mut stay {
            Stay::Room(room) if self.closed.in_silence() => room.trail.arrived(),
            Stay::Room(room) => room.cursor.seq(),
            Stay::Idle | Stay::Waiting { .. } => 0,
        };
        let cause = if self.closed.token.is_cancelled() { Loss::Lost } else { Loss::Drained };
        self.app.asker.insist(&UserCommand::Disconnected { user, epoch, seen, cause }).await;
    }
}
