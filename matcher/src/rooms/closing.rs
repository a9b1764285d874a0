//! Closing a room, in steps that can each be repeated after a crash: it is marked as closed, with what happens to whom;
//! then the chat-store gets its command, and both members are released and notified; the document goes last.

use crate::{
    context::Context,
    domain::{
        placement::{Release, State},
        room::{Cause, Closing, Room},
    },
    store::conflict_delays,
};
use anyhow::Context as _;
use proto::{CommandId, Notification, RoomCommand, RoomId, UserId, admin::RoomEventKind};

/// Closes a room, or completes its close if it is closed already. Does nothing if the cause is none any more.
pub(crate) async fn close(context: &Context, room: RoomId, cause: Cause) -> anyhow::Result<()> {
    let mut delays = conflict_delays();
    while let Some(room) = context.store.rooms.get(room).await? {
        if !room.is_open() {
            return complete_close(context, &room).await;
        }
        let Some(closing) = room.closing(cause, context.now_ms()) else { return Ok(()) };
        if mark_closed(context, &room, &closing).await? {
            return complete_close(context, &room.closed(closing)).await;
        }
        delays.wait().await;
    }
    Ok(())
}

async fn mark_closed(context: &Context, room: &Room, closing: &Closing) -> anyhow::Result<bool> {
    let closed = context.store.rooms.mark_closed(room, closing).await?;
    if closed {
        let lasted_ms = u64::try_from(closing.at - room.created_at()).unwrap_or(0);
        let (reason, started, requeued) = (closing.reason, room.started(), closing.requeue.clone());
        let ended = RoomEventKind::Ended { reason, started, lasted_ms, requeued };
        context.bus.publish_room_event(room.id(), ended).await;
    }
    Ok(closed)
}

/// Does all that is left to do for a closed room.
pub(crate) async fn complete_close(context: &Context, room: &Room) -> anyhow::Result<()> {
    let Some(closing) = room.close_to_complete() else { return Ok(()) };
    let ended = RoomCommand::RoomEnded { room: room.id() };
    let stored = context.bus.publish_command(CommandId::new(), &ended, None).await?;
    stored.await.context("publishing the end of a room")?;
    for user in room.users() {
        release(context, room.id(), user, closing).await?;
    }
    context.store.rooms.delete(room.id()).await?;
    tracing::debug!(room.id = %room.id(), reason = ?closing.reason, requeued = closing.requeue.len(), "room closed");
    Ok(())
}

/// What a user did last wins: who left meanwhile is not requeued, who queued again is not erased.
async fn release(context: &Context, room: RoomId, user: UserId, closing: &Closing) -> anyhow::Result<()> {
    let release = closing.release(user);
    let after = context.store.users.change(user, |user| user.release(room, release, context.now_ms())).await?.after;
    match (release, after.waiting()) {
        // Repeated, this may notify somebody who is in the next room by now: the gateway compares the rooms.
        (Release::Requeue, Some((queue, since_ms))) => {
            context.bus.notify_user(Some(room), user, &Notification::Requeued { queue, since_ms }).await?;
            context.wakeup.notify().await;
        }
        (Release::Requeue, None) if after.state() == State::Paired => {}
        // After the erasure, so that a client that is notified can queue again at once.
        _ => context.bus.notify_user(Some(room), user, &Notification::Ended { reason: closing.reason }).await?,
    }
    Ok(())
}

/// Completes the close of the room that a user is in, if it is closed; false if it is open.
pub(crate) async fn complete_close_of(context: &Context, user: UserId) -> anyhow::Result<bool> {
    let Some(room) = context.store.users.get(user).await?.room() else { return Ok(true) };
    match context.store.rooms.get(room).await? {
        Some(room) if room.is_open() => return Ok(false),
        Some(room) => complete_close(context, &room).await?,
        None => release_orphan(context, user, room).await?,
    }
    Ok(true)
}

/// Releases a user from a room that has no document any more.
pub(crate) async fn release_orphan(context: &Context, user: UserId, room: RoomId) -> anyhow::Result<()> {
    let now = context.now_ms();
    context.store.users.change(user, |user| user.release(room, Release::Erase, now)).await.map(drop)?;
    Ok(())
}
