//! Whom a socket speaks for, from the handshake or `hello` until it is closed or another user takes its place; and what
//! a client receives first.

use crate::{
    api::server_event::{ResumedState, ServerEvent, waited_ms},
    app::Shared,
    session::{
        claiming, entering,
        parts::{client::ClientKind, replay_plan::ReplayForm},
        replay,
        state::{Session, SessionUser},
    },
};
use proto::{CommandId, UserCommand, UserId, UserState, UserView, commands::DisconnectCause};

/// From now on this socket speaks for this user, and for no other. `last_seq` is the last sequence that a current client
/// has in its room.
pub(super) async fn identify(session: &mut Session, user: UserId, last_seq: Option<u64>) {
    let known = session.user.as_ref().map(|known| (known.identity.user() == user, known.identity.is_released()));
    match known {
        Some((true, false)) => return,
        Some((true, true)) => {}
        Some((false, _)) | None => {
            abandon(session);
            // Subscribed before the claim is published: on one connection the order holds, so that no notification is
            // lost between the reply and the subscription.
            let subscribe = move |app: Shared| async move { app.backend.subscribe(user).await.ok() };
            let Some(notifications) = session.persist(subscribe).await else { return };
            session.speak_for(user, notifications);
        }
    }
    if let Some(view) = claiming::claim(session).await {
        arrive(session, view, last_seq).await;
    }
}

/// What the client receives first. Legacy clients learn by the events that they know where they are, current ones by
/// `resumed`.
async fn arrive(session: &mut Session, view: UserView, last_seq: Option<u64>) {
    let client = session.client;
    let Some(user) = &mut session.user else { return };
    user.location.assume(&view.state);
    let delivered_seq = if client == ClientKind::Legacy { view.delivered_seq } else { 0 };
    user.follow_location(last_seq.unwrap_or(delivered_seq));
    if client == ClientKind::Current {
        resume(session, &view, last_seq).await;
    }
    match (&view.state, client) {
        (UserState::Room(room), ClientKind::Legacy) if room.entered => {
            if let Some(user) = &mut session.user {
                user.delivery.fall_behind();
                user.replay.begin(ReplayForm::Messages { then_partner: true });
            }
        }
        (UserState::Room(room), _) if !room.entered => {
            entering::apply(session, |location| location.observe(&view.state)).await;
        }
        _ => {}
    }
}

async fn resume(session: &mut Session, view: &UserView, last_seq: Option<u64>) {
    let state = match &view.state {
        UserState::Idle if last_seq.is_some() => ResumedState::Over,
        UserState::Idle => ResumedState::Idle,
        UserState::Waiting { queue, since_ms } => {
            ResumedState::Waiting { queue: *queue, waited_ms: waited_ms(*since_ms) }
        }
        UserState::Room(_) => return replay::begin_resumed(session).await,
    };
    session.emit(&ServerEvent::Resumed { user_id: view.user, state });
}

/// The user of this socket leaves for good: another one takes their place.
fn abandon(session: &mut Session) {
    if let Some(user) = session.fall_silent() {
        publish_end(session, user, true, DisconnectCause::Lost);
    }
}

/// The socket is closed, or let go.
pub(super) async fn end(session: &mut Session) {
    let cause = if session.closed.is_closed() { DisconnectCause::Lost } else { DisconnectCause::Drained };
    // A legacy client disconnects from the namespace to leave.
    let leaves = session.client == ClientKind::Legacy && session.closed.by_goodbye();
    let Some(user) = session.fall_silent() else { return };
    let id = user.identity.user();
    publish_end(session, user, leaves, cause);
    if session.leave.is_cancelled() {
        // The drain closes the transport only once the matchers know.
        session.app.backend.until_stored().stored(id).await;
    }
}

/// Publishes that a user has left, if so, and that the connection is closed, until both are stored.
fn publish_end(session: &Session, mut user: SessionUser, leaves: bool, cause: DisconnectCause) {
    let silent = session.closed.silently() || session.outbox.has_overflowed();
    let in_room = user.location.room().is_some();
    let delivered = user.delivery.delivered_seq(silent, session.outbox.first_unsent());
    let (id, stamp, released) = (user.identity.user(), user.identity.stamp().clone(), user.identity.is_released());
    // Not served any more before anything of it is published.
    drop(user);
    let until_stored = session.app.backend.until_stored();
    if leaves && !released {
        until_stored.store(CommandId::new(), UserCommand::Left { user: id });
    }
    let delivered_seq = if in_room { delivered } else { 0 };
    until_stored.store(CommandId::new(), UserCommand::Disconnected { user: id, stamp, delivered_seq, cause });
}
