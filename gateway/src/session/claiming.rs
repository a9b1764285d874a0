//! Claims: a session has the matcher know that it speaks for its user, and acts on the register that comes back. Every
//! retry has the same stamp, so that a reply that is late or lost costs nothing.

use crate::{
    api::server_event::ServerEvent,
    app::Shared,
    bus::command_client::CommandError,
    session::{entering, parts::client::ClientKind, state::Session},
};
use parking_lot::Mutex;
use proto::{CommandId, UserId, UserView, bus::retry, presence::Verdict, timing::DUPLICATE_WINDOW};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Claims the session's user until the claim is held; none when a newer connection has superseded it, or the socket is
/// closed.
pub(super) async fn claim(session: &mut Session) -> Option<UserView> {
    let mut delays = retry::delays();
    loop {
        let view = publish_claim(session).await?;
        match session.user.as_mut()?.identity.judge(view.connection.as_ref()) {
            Verdict::Held => return Some(view),
            Verdict::Restamp { opened_at_ms } => {
                tracing::debug!(opened_at_ms, user.id = %view.user, "claim stamped again");
            }
            // The matcher merges before it replies: of another one than this.
            Verdict::Unknown => tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(1))).await,
            Verdict::Superseded => {
                supersede(session);
                return None;
            }
        }
    }
}

/// Claims the session's user again, and takes the state that comes back.
pub(super) async fn claim_and_observe(session: &mut Session) {
    if let Some(view) = claim(session).await {
        entering::apply(session, |location| location.observe(&view.state)).await;
    }
}

/// A newer connection speaks for the user: the session's ends. Legacy clients do not know the event.
pub(super) fn supersede(session: &mut Session) {
    let Some(user) = session.fall_silent() else { return };
    tracing::debug!(user.id = %user.identity.user(), stamp = ?user.identity.stamp(), "connection superseded");
    if session.client == ClientKind::Current {
        session.emit(&ServerEvent::Replaced);
        // Otherwise two copies of one tab would take the conversation from each other for ever.
        if let Err(error) = session.outbox.socket().clone().disconnect() {
            tracing::debug!(%error, "superseded socket not disconnected");
        }
    }
}

/// Publishes the claim until there is a reply. A socket that is closed publishes nothing more.
async fn publish_claim(session: &Session) -> Option<UserView> {
    let identity = &session.user.as_ref()?.identity;
    let (user, stamp) = (identity.user(), identity.stamp().clone());
    let attempt = Arc::new(Mutex::new(Attempt::first()));
    let publish = move |app: Shared| {
        let (attempt, stamp) = (attempt.clone(), stamp.clone());
        async move {
            let id = attempt.lock().id();
            let reply = app.backend.connect(id, user, stamp).await;
            reply.inspect_err(|error| attempt.lock().failed(*error, user)).ok()
        }
    };
    session.persist(publish).await
}

/// The id under which a claim is published.
struct Attempt {
    id: CommandId,
    first_used: Instant,
}

impl Attempt {
    fn first() -> Self {
        Self { id: CommandId::new(), first_used: Instant::now() }
    }

    /// The same one as long as the stream would recognise it.
    fn id(&mut self) -> CommandId {
        if self.first_used.elapsed() > DUPLICATE_WINDOW / 2 {
            *self = Self::first();
        }
        self.id
    }

    /// What was stored without a reply would be dropped as a duplicate, and is published under another id.
    fn failed(&mut self, error: CommandError, user: UserId) {
        tracing::debug!(%error, user.id = %user, "claim retried");
        if error != CommandError::NotStored {
            *self = Self::first();
        }
    }
}
