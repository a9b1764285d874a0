//! Publishes the result of a command: notifies the members of the room, then replies.
//!
//! Members first: both go over one connection, so that a client that has the reply knows that the partner's gateway was
//! notified before. If this process dies in between, the author sends the message again with the same nonce, while a
//! partner who was not notified would have nothing to repeat.

use crate::domain::Outcome;
use proto::{
    Message, Notification, Refusal, Reply, RoomCommand, UserId,
    admin::RoomEventKind,
    bus::{Bus, BusError, Delivery},
    commands::Liked,
};

/// Notifies the members of the outcome, then replies.
pub(super) async fn results(bus: &Bus, delivery: &Delivery<RoomCommand>, outcome: &Outcome) -> Result<(), BusError> {
    let room = delivery.command.room();
    match outcome {
        Outcome::Stored { message, members } => {
            tracing::Span::current().record("message.id", tracing::field::display(message.id));
            tracing::debug!(room.id = %room, user.id = %message.author, message.id = %message.id, "message stored");
            bus.publish_room_event(room, stored(message)).await;
            notify(bus, delivery, members, &Notification::Message(message.clone())).await?;
            delivery.reply(bus, &Reply::Ok(message)).await
        }
        Outcome::Liked { message, by, members } => {
            tracing::debug!(room.id = %room, user.id = %by, message.id = %message, "message liked");
            if !members.is_empty() {
                bus.publish_room_event(room, RoomEventKind::Liked { message: *message, user: *by }).await;
            }
            notify(bus, delivery, members, &Notification::Liked { message_id: *message, user_id: *by }).await?;
            delivery.reply(bus, &Reply::Ok(Liked { message_id: *message })).await
        }
        Outcome::Erased => {
            tracing::debug!(room.id = %room, "room erased");
            bus.publish_room_event(room, RoomEventKind::Erased).await;
            Ok(())
        }
        Outcome::Refused(refusal) => refuse(bus, delivery, *refusal).await,
        Outcome::Failed => refuse(bus, delivery, Refusal::Failed).await,
    }
}

async fn notify(
    bus: &Bus,
    delivery: &Delivery<RoomCommand>,
    members: &[UserId],
    notification: &Notification,
) -> Result<(), BusError> {
    for member in members {
        bus.notify_user(Some(delivery.command.room()), *member, notification).await?;
    }
    Ok(())
}

fn stored(message: &Message) -> RoomEventKind {
    let Message { id, seq, author, .. } = *message;
    RoomEventKind::Stored { message: id, seq, author, bytes: message.content.len() as u64 }
}

async fn refuse(bus: &Bus, delivery: &Delivery<RoomCommand>, refusal: Refusal) -> Result<(), BusError> {
    tracing::debug!(bus.subject = %delivery.raw.subject, ?refusal, "command refused");
    delivery.reply(bus, &Reply::<()>::Refused(refusal)).await
}
