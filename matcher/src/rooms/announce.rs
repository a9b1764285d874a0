//! Notifies the two of a room of their match. A room is created with the duty to be announced (an outbox): it is marked
//! once that is done, and the sweep repeats what a crash cut off.

use crate::{
    context::Context,
    domain::room::{Cause, Room},
    rooms::{closing, for_each},
    store::matching::Claim,
};
use proto::{
    Notification, UserId,
    admin::RoomEventKind,
    bus::BusError,
    notification::{MatchMade, MatchedMember},
    subjects,
};
use std::time::Duration;

/// A room that is not announced after so long was left behind by a crash: the leader that created it announces it in far
/// less.
const ABANDONED_AFTER: Duration = Duration::from_secs(3);

/// Announces new rooms.
pub(crate) async fn announce(context: &Context, matched: Vec<Claim>) -> anyhow::Result<()> {
    if matched.is_empty() {
        return Ok(());
    }
    for Claim { pair, room } in &matched {
        for member in pair {
            if let Some(from) = member.moved_from {
                let moved = Notification::Moved { from, to: member.queue };
                context.bus.notify_user(None, member.user, &moved).await?;
            }
        }
        announce_room(context, room).await?;
    }
    let rooms: Vec<Room> = matched.into_iter().map(|claim| claim.room).collect();
    Ok(context.store.rooms.mark_announced(&rooms, context.now_ms()).await?)
}

// A trace of its own: a match has two causes, and neither command is in progress any more.
#[tracing::instrument(name = "match", level = "debug", parent = None, skip_all, fields(room.id = %room.id()))]
async fn announce_room(context: &Context, room: &Room) -> Result<(), BusError> {
    let members = room.members().each_ref().map(|member| MatchedMember {
        user: member.user,
        queue: member.queue,
        waited_ms: u64::try_from(room.created_at() - member.queued_at).unwrap_or(0),
    });
    // Before anybody can enter.
    context.bus.publish_room_event(room.id(), RoomEventKind::Created { members: members.clone() }).await;
    for user in room.users() {
        // Only connected users are matched.
        notify_matched(context, room, user, true).await?;
    }
    context.bus.publish(subjects::match_made(room.id()), &MatchMade { room: room.id(), members }).await
}

async fn notify_matched(context: &Context, room: &Room, user: UserId, partner_connected: bool) -> Result<(), BusError> {
    let matched = Notification::Matched(room.view(user, partner_connected));
    context.bus.notify_user(Some(room.id()), user, &matched).await
}

/// Announces again what a crash or a lost notification kept from somebody: rooms that were never announced, and members
/// who have not entered.
pub(crate) async fn repeat(context: &Context) -> anyhow::Result<()> {
    let abandoned = context.store.rooms.never_announced(context.ago(ABANDONED_AFTER)).await?;
    let resolved = for_each(abandoned, |room| resolve(context, room)).await;
    let (created_after, announced_before) =
        (context.ago(context.config.enter_timeout), context.ago(context.config.match_interval));
    let rooms = context.store.rooms.not_entered(created_after, announced_before).await?;
    for room in &rooms {
        remind(context, room).await?;
    }
    if !rooms.is_empty() {
        context.store.rooms.mark_announced(&rooms, context.now_ms()).await?;
    }
    resolved
}

/// What a crash has left: announced if both are bound to it, else closed.
async fn resolve(context: &Context, room: Room) -> anyhow::Result<()> {
    for user in room.users() {
        if context.store.users.get(user).await?.room() != Some(room.id()) {
            return closing::close(context, room.id(), Cause::Vanished).await;
        }
    }
    announce_room(context, &room).await?;
    Ok(context.store.rooms.mark_announced(&[room], context.now_ms()).await?)
}

async fn remind(context: &Context, room: &Room) -> anyhow::Result<()> {
    for member in room.members().iter().filter(|member| !member.entered) {
        let partner = context.store.users.get(room.partner_of(member.user)).await?;
        notify_matched(context, room, member.user, partner.presence().shown_connected()).await?;
    }
    Ok(())
}
