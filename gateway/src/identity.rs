//! Whom a socket speaks for: from `hello` or the handshake until it is gone, or a newer socket
//! speaks for the same user.

use crate::{
    error::ApiError,
    names::Told,
    reasserting::{TAKEN_BACK, pause},
    session::{NOTHING, Session, Stay, Who},
    state::{Membership, Shared},
};
use proto::{CommandId, UserCommand, UserId, UserView, commands::Loss, subjects};

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
        self.who = Some(Who { user, epoch: 0, also: Vec::new(), outrun: None, events, stay: Stay::Idle });
        if self.closed.token.is_cancelled() {
            return;
        }
        loop {
            match self.connect(None).await {
                Connected::As(view) => return self.arrive(view, last_seq).await,
                Connected::Refused if self.prevails(user).await => {}
                Connected::Refused | Connected::Cut => return,
            }
        }
    }

    /// A newer connection was faster, or an attempt that was given up and is taken back. False when this one falls
    /// silent, or is gone.
    async fn prevails(&mut self, user: UserId) -> bool {
        if self.closed.token.run_until_cancelled(tokio::time::sleep(TAKEN_BACK)).await.is_none() {
            return false;
        }
        let Some(view) = self.stands(user).await else { return false };
        if view.epoch != 0 {
            self.fall_silent();
        }
        view.epoch == 0
    }

    /// Tells the matcher that this socket speaks for its user, again and again while it does not answer. What was not
    /// answered is taken back, so that it does not come later than what is said next. A socket that is gone says
    /// nothing more: it would silence a newer one.
    pub(crate) async fn connect(&mut self, reassert: Option<u64>) -> Connected {
        let Some(user) = self.who.as_ref().map(|who| who.user) else { return Connected::Refused };
        let command = UserCommand::Connected { user, gateway: self.app.id.clone(), reassert };
        let nothing = UserCommand::Disconnected { user, epoch: 0, seen: 0, cause: Loss::Lost };
        let mut also = Vec::new();
        let trying = async {
            while !self.closed.token.is_cancelled() {
                if self.app.bus.connected() {
                    let id = CommandId::new();
                    match self.app.asker.ask_as::<UserView>(id, &command).await {
                        Err(ApiError::Unavailable) => also.extend(self.app.asker.take_back(id, &nothing).await),
                        answer => return answer.ok(),
                    }
                }
                pause().await;
            }
            None
        };
        let answer = self.leave.run_until_cancelled(trying).await;
        if let Some(who) = &mut self.who {
            match &answer {
                Some(Some(view)) => (who.epoch, who.also, who.outrun) = (view.epoch, Vec::new(), None),
                // What is in the stream counts, or will.
                Some(None) | None => who.also.append(&mut also),
            }
        }
        match answer {
            Some(Some(view)) => Connected::As(view),
            Some(None) => Connected::Refused,
            None => Connected::Cut,
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
        if let Some(Who { user, also, .. }) = self.who.take() {
            let app = self.app.clone();
            tokio::spawn(async move { let_go_of(&app, user, also).await });
        }
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
        let Some(Who { user, epoch, also, .. }) = self.who.take() else { return };
        if epoch != 0 || !also.is_empty() {
            self.app.asker.insist(&UserCommand::Left { user }).await;
        }
        let_go_of(&self.app, user, also).await;
    }

    /// The socket is gone, or has to go.
    pub(crate) async fn end(mut self) {
        // Whoever speaks for the user by now has not said goodbye.
        let outrun = self.who.as_ref().is_some_and(|who| who.outrun.is_some());
        if !self.modern && self.closed.by_goodbye() && !outrun {
            return self.abandon().await;
        }
        let Some(Who { user, epoch, also, mut stay, .. }) = self.who.take() else { return };
        self.app.memberships.leave(user, epoch);
        let seen = match &mut stay {
            Stay::Room(room) if self.closed.in_silence() => room.trail.arrived(),
            Stay::Room(room) => room.cursor.seq(),
            Stay::Idle | Stay::Waiting { .. } => 0,
        };
        let cause = if self.closed.token.is_cancelled() { Loss::Lost } else { Loss::Drained };
        for epoch in also.into_iter().chain([epoch]).filter(|epoch| *epoch != 0) {
            self.app.asker.insist(&UserCommand::Disconnected { user, epoch, seen, cause }).await;
        }
    }
}

/// Says of attempts that nobody answered, and of which one may count yet, that they are gone.
async fn let_go_of(app: &Shared, user: UserId, attempts: Vec<u64>) {
    for epoch in attempts {
        app.asker.insist(&UserCommand::Disconnected { user, epoch, seen: 0, cause: Loss::Lost }).await;
    }
}
