//! What each command does: a step with the user, then what follows from where they are. What follows is read from the
//! state, not from the step, so that a command that is delivered again repeats it.

use crate::{
    context::Context,
    domain::{
        leases::Lapses,
        ms,
        placement::QueueRequest,
        presence::{Close, Presence},
        room::{Cause, Entered},
        user::User,
    },
    rooms::{closing, partner},
    store::users::Step,
};
use proto::{
    ConnectionStamp, Notification, Queue, Refusal, Reply, RoomId, UserCommand, UserId, UserView, admin::RoomEventKind,
    bus::Delivery,
};
use std::time::Duration;

/// The user afterwards; refusals are results too.
type Applied = anyhow::Result<Result<User, Refusal>>;

/// Applies a command, and returns where the user is then.
pub(super) async fn apply(context: &Context, delivery: &Delivery<UserCommand>) -> anyhow::Result<Reply<UserView>> {
    let applied = match &delivery.command {
        UserCommand::QueueRequested { user, queue, settle_ms } => {
            let settle = Duration::from_millis(*settle_ms);
            request_queue(context, delivery, *user, *queue, settle).await?
        }
        UserCommand::Left { user } => leave(context, *user, delivery.sequence).await?,
        UserCommand::Connected { user, stamp } => connect(context, *user, stamp).await?,
        UserCommand::Disconnected { user, stamp, delivered_seq, cause } => {
            let (state, now) = ((*cause).into(), context.now_ms());
            let close = Close { stamp: stamp.clone(), state, delivered_seq: *delivered_seq, now };
            Ok(disconnect(context, *user, &close).await?)
        }
        UserCommand::Entered { user, room } => enter(context, *user, *room).await?,
    };
    Ok(match applied {
        Ok(user) => Reply::Ok(context.view(&user).await?),
        Err(refusal) => Reply::Refused(refusal),
    })
}

async fn request_queue(
    context: &Context,
    delivery: &Delivery<UserCommand>,
    user: UserId,
    queue: Queue,
    settle: Duration,
) -> Applied {
    if !super::confirm::is_awaited(context, delivery.reply_to()).await {
        return Ok(Err(Refusal::Outdated));
    }
    let now = context.now_ms();
    let (sequence, queued_at, ready_at) = (delivery.sequence, delivery.stored_at_ms(), now.saturating_add(ms(settle)));
    let request = QueueRequest { sequence, queue, queued_at, ready_at, now };
    let step = |user: &mut User| user.request_queue(&request);
    let mut applied = context.store.users.step(user, step).await?;
    if matches!(applied, Err(Refusal::InRoom)) && closing::complete_close_of(context, user).await? {
        applied = context.store.users.step(user, step).await?;
    }
    let user = match applied {
        Ok(step) => step.after,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some((queue, since_ms)) = user.waiting() {
        let connected = user.presence().is_connected(&Lapses::default());
        context.bus.notify_user(None, user.id(), &Notification::Queued { queue, since_ms, connected }).await?;
        context.wakeup.notify().await;
    }
    Ok(Ok(user))
}

async fn leave(context: &Context, user: UserId, sequence: u64) -> Applied {
    let now = context.now_ms();
    let left = match context.store.users.step(user, |user| user.leave(sequence, now)).await? {
        Ok(step) => step.after,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some(room) = left.room() else { return Ok(Ok(left)) };
    context.bus.publish_room_event(room, RoomEventKind::Left { user }).await;
    closing::close(context, room, Cause::Left(user)).await?;
    Ok(Ok(context.store.users.get(user).await?))
}

async fn connect(context: &Context, user: UserId, stamp: &ConnectionStamp) -> Applied {
    let step = context.store.users.change(user, |user| user.connect(stamp)).await?;
    follow_up(context, &step).await?;
    if step.after.waiting().is_some() {
        context.wakeup.notify().await;
    }
    Ok(Ok(step.after))
}

/// A connection is closed, however that was found out.
pub(crate) async fn disconnect(context: &Context, user: UserId, close: &Close) -> anyhow::Result<User> {
    let step = context.store.users.change(user, |user| user.disconnect(close)).await?;
    follow_up(context, &step).await?;
    Ok(step.after)
}

/// What follows from a change of the register: older connections are closed, and the partner is notified.
async fn follow_up(context: &Context, Step { before, after }: &Step) -> anyhow::Result<()> {
    if let Some(register) = Presence::superseding(before.presence(), after.presence()) {
        context.bus.notify_user(after.room(), after.id(), &Notification::Superseded { register }).await?;
    }
    // The leader's sweep knows the leases, and corrects this within a second.
    partner::update(context, after, &Lapses::default()).await
}

async fn enter(context: &Context, id: UserId, room: RoomId) -> Applied {
    let user = context.store.users.get(id).await?;
    if user.room() != Some(room) {
        return Ok(Err(Refusal::NotInRoom));
    }
    let Some(Entered { room, first }) = context.store.rooms.enter(room, id).await? else {
        return Ok(Err(Refusal::NotInRoom));
    };
    let started = room.started();
    if first {
        context.bus.publish_room_event(room.id(), RoomEventKind::Entered { user: id, started }).await;
    }
    for member in room.users() {
        context.bus.notify_user(Some(room.id()), member, &Notification::Entered { user: id, started }).await?;
    }
    Ok(Ok(user))
}
