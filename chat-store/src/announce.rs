//! Tells the members of a room and answers whoever asked.
//!
//! Members first: both go over one connection, so that whoever sees the answer knows that the
//! partner's gateway was told before. If this process dies in between, the author asks again
//! with the same nonce, while a partner who was not told would have nothing to ask for.

use crate::partition::Outcome;
use proto::{
    Live, Message, Refusal, Reply, RoomCommand,
    bus::{Bus, BusError, Delivery},
    commands::Liked,
    operators::Happened,
};

/// Tells the members what a command came to, then answers it.
pub(crate) async fn announce(bus: &Bus, delivery: &Delivery<RoomCommand>, outcome: &Outcome) -> Result<(), BusError> {
    let room = delivery.command.room();
    match outcome {
        Outcome::Stored { message, members } => {
            tracing::Span::current().record("message.id", tracing::field::display(message.id));
            tracing::debug!(room.id = %message.room_id, user.id = %message.author, message.id = %message.id, "stored");
            let live = Live::Message(message.clone());
            bus.report(room, stored(message)).await;
            for member in members {
                bus.tell(Some(room), *member, &live).await?;
            }
            delivery.reply(bus, &Reply::Ok(message)).await
        }
        Outcome::Liked { message, by, members } => {
            tracing::debug!(user.id = %by, message.id = %message, "liked");
            let live = Live::Liked { message_id: *message, user_id: *by };
            if !members.is_empty() {
                bus.report(room, Happened::Liked { message: *message, user: *by }).await;
            }
            for member in members {
                bus.tell(Some(room), *member, &live).await?;
            }
            delivery.reply(bus, &Reply::Ok(Liked { message_id: *message })).await
        }
        Outcome::Erased => {
            tracing::debug!(room.id = %room, "erased");
            bus.report(room, Happened::Erased).await;
            Ok(())
        }
        Outcome::Refused(refusal) => refuse(bus, delivery, *refusal).await,
        Outcome::Failed => refuse(bus, delivery, Refusal::Failed).await,
    }
}

fn stored(message: &Message) -> Happened {
    let Message { id, seq, author, .. } = *message;
    Happened::Stored { message: id, seq, author, bytes: message.content.len() as u64 }
}

async fn refuse(bus: &Bus, delivery: &Delivery<RoomCommand>, refusal: Refusal) -> Result<(), BusError> {
    tracing::debug!(bus.subject = %delivery.raw.subject, ?refusal, "refused");
    delivery.reply(bus, &Reply::<()>::Refused(refusal)).await
}
