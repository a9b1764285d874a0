//! The state of a session: its parts, and the few things that concern several of them.

use crate::{
    api::server_event::ServerEvent,
    app::Shared,
    http::rate_limit::SocketRateLimit,
    session::parts::{
        client::{ClientKind, Closed},
        delivery::Delivery,
        identity::Identity,
        location::Location,
        outbox::Outbox,
        outcome::{FollowUp, Outcome},
        replay_plan::ReplayPlan,
        requeue::Requeue,
    },
};
use async_nats::Subscriber;
use proto::{UserId, bus::retry};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// A socket and whom it speaks for.
pub(crate) struct Session {
    pub(super) app: Shared,
    pub(super) client: ClientKind,
    pub(super) closed: Arc<Closed>,
    /// Cancelled when the gateway drains and lets this socket go.
    pub(super) leave: CancellationToken,
    pub(super) rate_limit: SocketRateLimit,
    pub(super) outbox: Outbox,
    pub(super) user: Option<SessionUser>,
}

/// The user of a session, and what is known of them.
pub(crate) struct SessionUser {
    pub(super) identity: Identity,
    pub(super) location: Location,
    pub(super) delivery: Delivery,
    pub(super) replay: ReplayPlan,
    pub(super) requeue: Requeue,
}

impl Session {
    /// That speaks for nobody yet.
    pub(super) fn new(
        app: Shared,
        client: ClientKind,
        closed: Arc<Closed>,
        leave: CancellationToken,
        outbox: Outbox,
    ) -> Self {
        let rate_limit = app.rate_limits.of_socket();
        Self { app, client, closed, leave, rate_limit, outbox, user: None }
    }

    /// The user's id.
    pub(super) fn user_id(&self) -> Option<UserId> {
        self.user.as_ref().map(|user| user.identity.user())
    }

    /// Speaks for a user from now on.
    pub(super) fn speak_for(&mut self, user: UserId, notifications: Subscriber) {
        let identity = Identity::new(user, notifications, &self.app.stamps, &self.app.served);
        self.user = Some(SessionUser {
            identity,
            location: Location::new(user, self.client),
            delivery: Delivery::new(self.app.config.patience()),
            replay: ReplayPlan::default(),
            requeue: Requeue::default(),
        });
    }

    /// Speaks for nobody from now on; what it knew of the user.
    pub(super) fn fall_silent(&mut self) -> Option<SessionUser> {
        self.user.take()
    }

    /// Sends what came of a change to the client; what the session does next.
    pub(super) fn apply(&mut self, change: impl FnOnce(&mut Location) -> Outcome) -> Option<FollowUp> {
        let user = self.user.as_mut()?;
        let Outcome { events, follow_up } = change(&mut user.location);
        user.follow_location(0);
        events.iter().for_each(|event| self.outbox.push(event));
        follow_up
    }

    /// Sends an event to the client.
    pub(super) fn emit(&mut self, event: &ServerEvent) {
        self.outbox.push(event);
    }

    /// Retries until it works; none when the socket is closed, or let go.
    pub(super) async fn persist<T, F>(&self, attempt: impl Fn(Shared) -> F + Send) -> Option<T>
    where
        F: Future<Output = Option<T>> + Send,
    {
        let retrying = async {
            let mut delays = retry::delays();
            loop {
                if let Some(done) = attempt(self.app.clone()).await {
                    return done;
                }
                tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(1))).await;
            }
        };
        tokio::select! {
            biased;
            () = self.closed.closed() => None,
            () = self.leave.cancelled() => None,
            done = retrying => Some(done),
        }
    }
}

impl SessionUser {
    /// What depends on the room: the delivery position, which begins after this sequence in a new one, and the
    /// membership by which REST requests find the room.
    pub(super) fn follow_location(&mut self, after_seq: u64) {
        if self.delivery.follow(self.location.room(), after_seq) {
            self.replay.end();
        }
        self.identity.served().set_membership(self.location.membership());
        if self.location.waiting().is_none() {
            self.requeue.end();
        }
    }
}
