//! Reconciliation: whatever lost an event (a panic in a session, a command lost with NATS, a failed read), what remains of
//! it is found here. The leader compares the registers with what each gateway says that it serves, and users with their
//! rooms. What it finds is counted, and the count stays 0 in a healthy system.

use crate::{
    commands::disconnect,
    context::Context,
    domain::{presence::Close, room::Cause},
    metrics::ORPHANS_REMOVED,
    rooms::{closing, for_each},
    store::users::OpenConnection,
};
use anyhow::Context as _;
use parking_lot::Mutex;
use proto::{
    ConnectionStamp, ConnectionState, GatewayId, RoomId, UserId,
    bus::BusError,
    lease,
    presence::{CONNECTIONS_PAGE, ConnectionsReply, ConnectionsRequest, ResyncRequest, ServedConnection},
    subjects,
};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

/// Whoever created a room or a user needs far less to write both.
const ORPHAN_AGE: Duration = Duration::from_secs(60);

/// Connections that the last round found in the registers and not at their gateways.
#[derive(Default)]
pub(super) struct Suspects(HashSet<(UserId, ConnectionStamp)>);

/// Reconciles once: all gateways with a lease, then users and rooms. A connection is closed when two rounds in a row have
/// found that nobody serves it: the gateway's own close may be on its way.
///
/// # Errors
/// The first that there was; the others are reconciled all the same.
pub(super) async fn run(context: &Context, suspects: &mut Suspects) -> anyhow::Result<()> {
    let gateways: Vec<GatewayId> = lease::live_gateways(&context.bus).await?.into_iter().collect();
    let (before, found) = (std::mem::take(suspects), Mutex::new(Suspects::default()));
    let reconciled = for_each(gateways, |gateway| {
        let (before, found) = (&before, &found);
        async move {
            let unserved = reconcile_gateway(context, &gateway).await;
            let unserved = unserved.with_context(|| format!("reconciling {gateway}"))?;
            let (confirmed, new): (Vec<_>, Vec<_>) =
                unserved.into_iter().partition(|open| before.0.contains(&(open.user, open.stamp().clone())));
            found.lock().0.extend(new.into_iter().map(|open| (open.user, open.stamp().clone())));
            for_each(confirmed, |open| close_orphan(context, open)).await
        }
    })
    .await;
    *suspects = found.into_inner();
    let orphans = remove_orphans(context).await;
    reconciled.and(orphans)
}

/// The registers are read before the gateway is asked: a connection that is in them and not served any more was closed.
/// Returns those.
async fn reconcile_gateway(context: &Context, gateway: &GatewayId) -> anyhow::Result<Vec<OpenConnection>> {
    let registered = context.store.users.open_connections(gateway).await?;
    let served = match served_connections(context, gateway).await {
        // It has ended since its lease was read.
        Err(BusError::NoResponders { .. }) => return Ok(Vec::new()),
        served => served?,
    };
    let stamps: HashSet<(UserId, i64, u64)> = served.iter().map(key).collect();
    resync_unknown(context, gateway, &registered, served).await?;
    let is_served = |open: &OpenConnection| {
        let stamp = open.stamp();
        stamps.contains(&(open.user, stamp.opened_at_ms, stamp.counter))
    };
    Ok(registered.into_iter().filter(|open| !is_served(open)).collect())
}

fn key(served: &ServedConnection) -> (UserId, i64, u64) {
    (served.user, served.opened_at_ms, served.counter)
}

async fn served_connections(context: &Context, gateway: &GatewayId) -> Result<Vec<ServedConnection>, BusError> {
    let (mut served, mut request) = (Vec::new(), ConnectionsRequest { after: None });
    loop {
        let page: ConnectionsReply = context.bus.request(subjects::gateway_connections(gateway), &request).await?;
        request.after = page.connections.last().map(|last| last.user);
        served.extend(page.connections);
        if !page.more || request.after.is_none() {
            return Ok(served);
        }
    }
}

/// Counts only what this changes.
async fn close_orphan(context: &Context, open: OpenConnection) -> anyhow::Result<()> {
    let before = context.store.users.get(open.user).await?;
    let still_open = before.presence().connection().is_some_and(|now| now.is_open() && &now.stamp == open.stamp());
    if still_open {
        count_orphan("connection", open.user);
        let (stamp, now) = (open.stamp().clone(), context.now_ms());
        let close = Close { stamp, state: ConnectionState::Lost, delivered_seq: 0, now };
        disconnect(context, open.user, &close).await?;
    }
    Ok(())
}

/// Sessions whose connection is not the register: their command was lost, or is on its way; or a newer connection has
/// superseded them, and they were not notified.
async fn resync_unknown(
    context: &Context,
    gateway: &GatewayId,
    registered: &[OpenConnection],
    served: Vec<ServedConnection>,
) -> anyhow::Result<()> {
    let known: HashMap<UserId, (i64, u64)> =
        registered.iter().map(|open| (open.user, (open.stamp().opened_at_ms, open.stamp().counter))).collect();
    let unknown = served.into_iter().filter(|one| known.get(&one.user) != Some(&(one.opened_at_ms, one.counter)));
    let unknown: Vec<UserId> = unknown.map(|one| one.user).collect();
    for users in unknown.chunks(CONNECTIONS_PAGE) {
        let request = ResyncRequest { users: users.to_vec() };
        let resynced: u64 = context.bus.request(subjects::gateway_resync(gateway), &request).await?;
        tracing::debug!(gateway.id = %gateway, users = users.len(), resynced, "sessions resynced");
    }
    Ok(())
}

/// Users in rooms that do not exist, rooms whose members are elsewhere, and what is older than anything may be.
async fn remove_orphans(context: &Context) -> anyhow::Result<()> {
    let users = context.store.users.orphans().await?;
    let rooms = context.store.rooms.orphans(context.ago(ORPHAN_AGE)).await?;
    let users = for_each(users, |(user, room)| async move {
        match room {
            Some(room) => release_from_missing_room(context, user, room).await,
            None => remove_expired(context, user).await,
        }
    })
    .await;
    let rooms = for_each(rooms, |room| async move {
        count_orphan("room", room.id());
        closing::close(context, room.id(), Cause::Orphaned).await
    })
    .await;
    users.and(rooms)
}

/// Reads both again: the room may have been closed between the two reads that found them.
async fn release_from_missing_room(context: &Context, user: UserId, room: RoomId) -> anyhow::Result<()> {
    let still_there = context.store.users.get(user).await?.room() == Some(room);
    if !still_there {
        return Ok(());
    }
    if context.store.rooms.get(room).await?.is_some() {
        return closing::close(context, room, Cause::Orphaned).await;
    }
    count_orphan("user", user);
    closing::release_orphan(context, user, room).await
}

async fn remove_expired(context: &Context, user: UserId) -> anyhow::Result<()> {
    count_orphan("user", user);
    Ok(context.store.users.delete_expired(user).await?)
}

fn count_orphan(kind: &'static str, id: impl std::fmt::Display) {
    metrics::counter!(ORPHANS_REMOVED).increment(1);
    tracing::warn!(kind, %id, "orphan removed");
}
