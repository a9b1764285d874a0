//! History for a client: what it missed while it was away, and what live messages left out. Sent in parts, each when the
//! outbox has room for it.

use crate::{
    api::{
        error::ApiError,
        server_event::{ResumedState, Sent, ServerEvent},
    },
    app::Shared,
    session::{
        parts::replay_plan::{ReplayForm, parts},
        state::Session,
    },
};
use proto::{Message, RoomId, UserId, notification::History};

/// Sends a current client that comes back the first `resumed`: before anything else, so that the history is waited for.
pub(super) async fn begin_resumed(session: &mut Session) {
    let Some((user, room, after)) = position(session) else { return };
    let fetch = move |app: Shared| async move {
        match app.backend.fetch_history(user, room, after).await {
            Ok(history) => Some(history),
            // The room ended just now; that is notified apart.
            Err(ApiError::NotInRoom) => Some(History { messages: Vec::new(), more: false }),
            Err(_unavailable) => None,
        }
    };
    let Some(history) = session.persist(fetch).await else { return };
    if let Some(user) = &mut session.user {
        user.delivery.fall_behind();
        user.replay.begin(ReplayForm::Resumed);
    }
    send(session, ReplayForm::Resumed, history);
}

/// Sends the next part, if the history is available.
pub(super) async fn step(session: &mut Session) {
    let form = session.user.as_ref().and_then(|user| user.replay.form());
    let (Some(form), Some((user, room, after))) = (form, position(session)) else { return end(session) };
    match session.app.backend.fetch_history(user, room, after).await {
        Ok(history) => send(session, form, history),
        Err(ApiError::NotInRoom) => end(session),
        Err(_unavailable) => {
            if let Some(user) = &mut session.user {
                user.replay.retry();
            }
        }
    }
}

/// User, room, and the sequence after which messages are missing.
fn position(session: &Session) -> Option<(UserId, RoomId, u64)> {
    let user = session.user.as_ref()?;
    Some((user.identity.user(), user.location.room()?, user.delivery.position()))
}

fn send(session: &mut Session, form: ReplayForm, History { messages, more }: History) {
    match form {
        ReplayForm::Resumed => send_resumed(session, messages, more),
        ReplayForm::Messages { .. } => send_messages(session, messages),
    }
    if !more {
        end(session);
    }
}

fn send_resumed(session: &mut Session, messages: Vec<Message>, more: bool) {
    let parts = parts(messages);
    let last = parts.len() - 1;
    for (index, part) in parts.into_iter().enumerate() {
        let (Some(user), more) = (&mut session.user, more || index < last) else { return };
        let Some(room_id) = user.location.room() else { return };
        let user_id = user.identity.user();
        user.delivery.advance(part.last().map_or(0, |message| message.seq));
        let state = ResumedState::Room {
            room_id,
            partner_connected: user.location.partner_connected(),
            last_seq: user.delivery.position(),
            messages: part.into_iter().map(|message| Sent::to(user_id, message)).collect(),
            more,
        };
        session.emit(&ServerEvent::Resumed { user_id, state });
    }
}

fn send_messages(session: &mut Session, messages: Vec<Message>) {
    for message in messages {
        let Some(user) = &mut session.user else { return };
        let user_id = user.identity.user();
        user.delivery.advance(message.seq);
        if message.author != user_id {
            session.emit(&ServerEvent::SendMessageToClient(Sent::to(user_id, message)));
        }
    }
}

/// All was sent, or the room is over.
fn end(session: &mut Session) {
    let Some(user) = &mut session.user else { return };
    let then_partner = matches!(user.replay.form(), Some(ReplayForm::Messages { then_partner: true }));
    user.replay.end();
    user.delivery.caught_up();
    if then_partner && user.location.entered().is_some() {
        let connected = user.location.partner_connected();
        session.emit(if connected { &ServerEvent::UserConnected } else { &ServerEvent::UserDisconnected });
    }
}
