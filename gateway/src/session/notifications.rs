//! What the bus brings for a session's user, and what its client is sent of it. A live message goes from here through
//! the delivery position into the outbox.

use crate::{
    api::server_event::{Sent, ServerEvent, waited_ms},
    session::{
        claiming, entering,
        parts::{client::ClientKind, delivery::Next},
        state::Session,
    },
};
use proto::{
    Message, Notification, Queue, Register, RoomId, UserState, notification::QueueStatus, presence::Verdict, subjects,
};

/// A notification of the session's user.
pub(super) async fn handle(session: &mut Session, message: &async_nats::Message) {
    let room = subjects::room_of_notification(&message.subject);
    match serde_json::from_slice(&message.payload) {
        Ok(notification) => dispatch(session, notification, room).await,
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            tracing::error!(bus.subject = %message.subject, line, column, "notification not decodable");
        }
    }
}

async fn dispatch(session: &mut Session, notification: Notification, room: Option<RoomId>) {
    let Some(user) = &session.user else { return };
    let (released, own_room) = (user.identity.is_released(), user.location.room());
    match notification {
        Notification::Queued { queue, since_ms, connected } => queued(session, queue, since_ms, connected).await,
        // Published before the user left, and received after it.
        Notification::Matched(_) if released => {}
        Notification::Matched(view) => {
            entering::apply(session, |location| location.observe(&UserState::Room(view))).await;
        }
        Notification::Moved { from, to } => entering::apply(session, |location| location.moved(from, to)).await,
        Notification::Superseded { register } => superseded(session, &register).await,
        // All others are about a room, and about none but the one that this user is in.
        _ if room.is_none() || room != own_room => {}
        Notification::Message(message) => live_message(session, message),
        Notification::Requeued { queue, since_ms } => {
            entering::apply(session, |location| location.requeued(queue, since_ms)).await;
        }
        Notification::Entered { user, started } => {
            entering::apply(session, |location| location.member_entered(user, started)).await;
        }
        Notification::Partner { connected } => entering::apply(session, |location| location.partner(connected)).await,
        Notification::Ended { reason } => entering::apply(session, |location| location.ended(reason)).await,
        Notification::Liked { message_id, user_id } => session.emit(&ServerEvent::MessageLiked { message_id, user_id }),
        Notification::Typing { typing: true } => session.emit(&ServerEvent::PartnerStartsTyping),
        Notification::Typing { typing: false } => session.emit(&ServerEvent::PartnerStopsTyping),
    }
}

fn live_message(session: &mut Session, message: Message) {
    tracing::Span::current().record("message.id", tracing::field::display(message.id));
    let Some(user) = &mut session.user else { return };
    if user.location.entered().is_none() {
        // The history has it once this client is in the room.
        return user.delivery.fall_behind();
    }
    match user.delivery.next(message.seq) {
        Next::Send => {
            let user_id = user.identity.user();
            user.delivery.advance(message.seq);
            if message.author != user_id {
                session.emit(&ServerEvent::SendMessageToClient(Sent::to(user_id, message)));
            }
        }
        Next::Skip => {}
        Next::Gap => entering::plan_catch_up(session),
    }
}

/// Queued by REST, while the session waits for nothing.
async fn queued(session: &mut Session, queue: Queue, since_ms: i64, connected: bool) {
    entering::apply(session, |location| location.queued(queue, since_ms)).await;
    // Nobody without a connection is matched; and a session that was released with its user's last room takes part again.
    let released = session.user.as_ref().is_some_and(|user| user.identity.is_released());
    if released || !connected {
        claiming::claim_and_observe(session).await;
    }
}

/// The register has moved past a connection of the user, perhaps this one.
async fn superseded(session: &mut Session, register: &Register) {
    let Some(user) = &mut session.user else { return };
    match user.identity.judge(Some(register)) {
        Verdict::Superseded => claiming::supersede(session),
        // The newer one is closed already.
        Verdict::Restamp { .. } => claiming::claim_and_observe(session).await,
        // It was published before this one was claimed.
        Verdict::Held | Verdict::Unknown => {}
    }
}

/// Sends a current client that waits for how long it has waited, and how many wait.
pub(super) fn queue_status(session: &mut Session, waiting: QueueStatus) {
    let place = session.user.as_ref().and_then(|user| user.location.waiting());
    if let (ClientKind::Current, Some((queue, since_ms))) = (session.client, place) {
        session.emit(&ServerEvent::QueueStatus { queue, waited_ms: waited_ms(since_ms), waiting });
    }
}
