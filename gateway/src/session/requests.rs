//! What clients request over their socket.

use crate::{
    api::{
        client_event::{ClientEvent, ClientEventName, LikeMessage, RequestQueue, Secret, SendMessage, Typing},
        draft::Draft,
        error::{ApiError, count_rejection},
    },
    bus::{
        backend::Membership,
        command_client::{CommandError, PendingReply},
    },
    session::{claiming, entering, identifying, parts::client::ClientKind, state::Session},
    socket::{acknowledgement::Acknowledgement, inbound::InboundEvent},
};
use proto::{CommandId, Message, Queue, UserCommand, UserId, UserState};
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

/// The reply to `request_queue`.
#[derive(Serialize)]
struct Queued {
    queue: Queue,
}

/// Handles an event of the client. The table of what clients send: the first four are those of legacy clients.
pub(super) async fn handle(session: &mut Session, inbound: InboundEvent) {
    let InboundEvent { name, data, acknowledgement, arrived } = inbound;
    let deadline = arrived + session.app.config.result_deadline;
    let event = match check(session, name).and_then(|name| name.parse(data)) {
        Ok(event) => event,
        Err(error) => return acknowledgement.reject(error),
    };
    match event {
        ClientEvent::Hello(secret) | ClientEvent::RegisterSid(secret) => hello(session, &secret).await,
        ClientEvent::JoinRoom(secret) => acknowledgement.send(join_room(session, &secret).await),
        ClientEvent::LeaveRoom(secret) => acknowledgement.send(leave_room(session, &secret).await),

        ClientEvent::RequestQueue(request) => request_queue(session, request, deadline, acknowledgement).await,
        ClientEvent::SendMessage(message) => send_message(session, message, deadline, acknowledgement).await,
        ClientEvent::LikeMessage(like) => like_message(session, like, acknowledgement).await,
        ClientEvent::Typing(typing) => acknowledgement.send(notify_typing(session, &typing).await),
    }
}

/// The rate limit, and whether this session may send such an event at all.
fn check(session: &Session, name: Option<ClientEventName>) -> Result<ClientEventName, ApiError> {
    session.rate_limit.check()?;
    let name = name.ok_or(ApiError::UnknownEvent)?;
    if name.is_current() && session.user.is_none() { Err(ApiError::Unidentified) } else { Ok(name) }
}

/// This socket speaks for the user of this secret.
async fn hello(session: &mut Session, secret: &Secret) {
    if let Err(error) = identify(session, secret).await {
        count_rejection(&error);
    }
}

/// Enters the room that `queue_complete` announced; idempotent.
async fn join_room(session: &mut Session, secret: &Secret) -> Result<(), ApiError> {
    identify(session, secret).await?;
    let user = session.user.as_ref().ok_or(ApiError::Unidentified)?;
    let announced = user.location.room();
    let room = match announced {
        Some(room) => room,
        // The announcement may have been lost.
        None => match session.app.backend.fetch_user(user.identity.user()).await?.state {
            UserState::Room(view) => view.room,
            UserState::Idle | UserState::Waiting { .. } => return Err(ApiError::NotInRoom),
        },
    };
    entering::enter(session, room).await
}

/// Leaves the room, or the queue, for good: the user is erased. A later queue request claims again.
async fn leave_room(session: &mut Session, secret: &Secret) -> Result<(), ApiError> {
    let own = session.user_id();
    let named = user_of(session, secret);
    let user = match session.client {
        ClientKind::Current => named.or(own),
        ClientKind::Legacy => named,
    };
    let user = user.ok_or(ApiError::Unidentified)?;
    let speaks_for_them = own == Some(user);
    // Whatever the reply will be, they do not want to wait any more.
    if speaks_for_them && session.user.as_ref().is_some_and(|user| user.location.room().is_none()) {
        leave_location(session);
    }
    let id = CommandId::new();
    match session.app.backend.leave(id, user).await {
        // Legacy clients get no rejection, and do not repeat it.
        Err(CommandError::NotStored | CommandError::NoReply) if session.client == ClientKind::Legacy => {
            session.app.backend.until_stored().store(id, UserCommand::Left { user });
        }
        replied => drop(replied?),
    }
    if speaks_for_them {
        leave_location(session);
        if let Some(user) = &mut session.user {
            user.identity.release();
        }
    }
    Ok(())
}

fn leave_location(session: &mut Session) {
    if let Some(user) = &mut session.user {
        user.location.left();
        user.follow_location(0);
    }
}

/// Waits for a partner.
async fn request_queue(
    session: &mut Session,
    RequestQueue { queue }: RequestQueue,
    deadline: Instant,
    acknowledgement: Acknowledgement,
) {
    if session.user.as_ref().is_some_and(|user| user.identity.is_released()) {
        let mut claiming = std::pin::pin!(claiming::claim(session));
        match timeout_at(deadline, &mut claiming).await {
            Ok(Some(_)) => {}
            Ok(None) => return acknowledgement.reject(ApiError::Unavailable),
            // A client that was told so is not queued, and is connected all the same.
            Err(_too_late) => {
                acknowledgement.reject(ApiError::Unavailable);
                claiming.await;
                return;
            }
        }
    }
    acknowledgement.send(enqueue(session, queue).await);
}

async fn enqueue(session: &mut Session, queue: Queue) -> Result<Queued, ApiError> {
    let user = session.user_id().ok_or(ApiError::Unidentified)?;
    // Over one connection the acknowledgement comes before the match by itself.
    let view = session.app.backend.request_queue(user, queue, Duration::ZERO).await?;
    if let UserState::Waiting { queue, since_ms } = view.state {
        session.apply(|location| location.queued(queue, since_ms));
    }
    // Nobody is matched whose connection the matcher does not have.
    if let Some(user) = &mut session.user
        && view.connection.is_none_or(|register| register.stamp != *user.identity.stamp())
    {
        user.identity.served().request_resync();
    }
    Ok(Queued { queue })
}

/// Sends a message; acknowledged when it is stored. Several may be in flight, in order.
async fn send_message(
    session: &mut Session,
    message: SendMessage,
    deadline: Instant,
    acknowledgement: Acknowledgement,
) {
    // One deadline for all of it: the author's lock, the way to the bus, and the reply.
    let published = timeout_at(deadline, publish_message(session, message)).await;
    match published.unwrap_or(Err(ApiError::Unavailable)) {
        Ok(pending) => {
            let stored = async move {
                let stored = timeout_at(deadline, pending.reply()).await;
                acknowledgement.send(stored.map_err(|_| ApiError::Unavailable).and_then(|reply| Ok(reply?)));
            };
            session.app.tasks.spawn(stored.in_current_span());
        }
        Err(error) => acknowledgement.reject(error),
    }
}

async fn publish_message(
    session: &Session,
    SendMessage { content, nonce }: SendMessage,
) -> Result<PendingReply<Message>, ApiError> {
    let (draft, (user, membership)) = (Draft::new(nonce, content)?, entered(session)?);
    let _lock = session.app.author_locks.lock(user).await;
    session.app.backend.send_message(user, membership.room, draft).await
}

/// Likes a message. Not waited for here: a message that comes after it has its own deadline.
async fn like_message(
    session: &mut Session,
    LikeMessage { message_id }: LikeMessage,
    acknowledgement: Acknowledgement,
) {
    let published = async {
        let (user, membership) = entered(session)?;
        session.app.backend.like_message(user, membership.room, &message_id).await
    };
    match published.await {
        Ok(pending) => {
            let liked = async move { acknowledgement.send(pending.reply().await.map_err(ApiError::from)) };
            session.app.tasks.spawn(liked.in_current_span());
        }
        Err(error) => acknowledgement.reject(error),
    }
}

/// Notifies the partner, best effort.
async fn notify_typing(session: &Session, Typing { typing }: &Typing) -> Result<(), ApiError> {
    let (_, membership) = entered(session)?;
    session.app.backend.notify_typing(membership, *typing).await
}

/// The user, and the room that they have entered.
fn entered(session: &Session) -> Result<(UserId, Membership), ApiError> {
    let user = session.user.as_ref().ok_or(ApiError::Unidentified)?;
    Ok((user.identity.user(), user.location.entered().ok_or(ApiError::NotInRoom)?))
}

/// Speaks for the user of a bare secret, if there is one. It counts as an action of theirs: another socket each time
/// would otherwise be a way around the rate limit of one.
async fn identify(session: &mut Session, secret: &Secret) -> Result<(), ApiError> {
    if let Some(user) = user_of(session, secret) {
        session.app.rate_limits.check_user(user)?;
        identifying::identify(session, user, None).await;
    }
    Ok(())
}

/// The user of a bare secret. One that nobody signed is ignored: legacy clients do not read a rejection.
fn user_of(session: &Session, Secret(secret): &Secret) -> Option<UserId> {
    session.app.secrets.verify(secret.as_deref()?).ok()
}
