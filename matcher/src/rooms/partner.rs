//! Notifies a member that the partner's connection is lost, or back. What the member was last notified of is stored with
//! the user; this compares it with what is, wherever that may have changed: a command, a lease, a grace that is over.

use crate::{
    context::Context,
    domain::{leases::Lapses, room::Cause, user::User},
    rooms::closing,
    store::conflict_delays,
};
use proto::{Notification, RoomId, UserId, admin::RoomEventKind};

/// Notifies the partner of this user, if they have to be. Before the conversation has started a lost connection closes
/// the room instead: the partner looks for somebody else.
pub(crate) async fn update(context: &Context, user: &User, lapses: &Lapses) -> anyhow::Result<()> {
    let (mut user, mut delays) = (user.clone(), conflict_delays());
    // Again when it has changed meanwhile: another matcher may have published the newer state before this one published
    // the older.
    while let Some(room) = user.room()
        && let Some(connected) = user.presence().partner_update(lapses, context.now_ms(), context.timeouts())
    {
        let Some(open) = context.store.rooms.open(room).await? else { return Ok(()) };
        if !connected && !open.started() {
            return closing::close(context, room, Cause::Vanished).await;
        }
        notify(context, room, user.id(), open.partner_of(user.id()), connected).await?;
        let in_room = |user: &mut User| user.room() == Some(room) && user.note_partner(connected);
        user = context.store.users.change(user.id(), in_room).await?.after;
        delays.wait().await;
    }
    Ok(())
}

async fn notify(context: &Context, room: RoomId, user: UserId, partner: UserId, connected: bool) -> anyhow::Result<()> {
    let event = if connected { RoomEventKind::Reconnected { user } } else { RoomEventKind::Disconnected { user } };
    context.bus.publish_room_event(room, event).await;
    Ok(context.bus.notify_user(Some(room), partner, &Notification::Partner { connected }).await?)
}
