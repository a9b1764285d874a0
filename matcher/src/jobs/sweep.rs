//! What time alone changes: connections that did not come back, gateways whose leases lapsed, rooms that nobody entered,
//! work that a crash cut off.

use crate::{
    context::Context,
    domain::{
        leases::{Lapses, LeaseMonitor},
        room::Cause,
        user::User,
    },
    metrics::ROOMS_NOT_ENTERED,
    rooms::{announce, closing, for_each, partner},
};
use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use proto::{UserId, lease, streams, subjects, timing};
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// A closed room is left alone for so long: the matcher that closed it is completing that.
const COMPLETING: Duration = Duration::from_secs(1);

/// How long a step may take, so that one that hangs does not keep the others from their turn; the next sweep goes on
/// where it was cut off. Longer than the bus takes to reply, 5 s, and than a second for thousands of users.
const STEP_DEADLINE: Duration = Duration::from_secs(10);

/// Sweeps once. A step that fails keeps no other from its turn.
///
/// # Errors
/// The first that there was.
pub(super) async fn run(
    context: &Context,
    monitor: &mut LeaseMonitor,
    observed: &watch::Sender<Lapses>,
) -> anyhow::Result<()> {
    let polled = step("polling leases", poll_leases(context, monitor)).await;
    let lapses = match &polled {
        Ok(lapses) => lapses.clone(),
        Err(_) => {
            monitor.reset();
            Lapses::default()
        }
    };
    if !observed.send_replace(lapses.clone()).known() && lapses.known() {
        // Candidates were held back until now.
        context.wakeup.notify().await;
    }
    let steps = [
        polled.map(drop),
        step("completing closes", complete_closes(context)).await,
        step("announcing again", announce::repeat(context)).await,
        step("closing rooms that were not entered", close_rooms_not_entered(context)).await,
        step("notifying partners", notify_partners(context, &lapses)).await,
        step("removing who is gone", remove_gone(context, &lapses)).await,
        step("forgetting the erased", forget_erased(context)).await,
    ];
    steps.into_iter().collect()
}

/// Which of the gateways with open registers have a lease.
async fn poll_leases(context: &Context, monitor: &mut LeaseMonitor) -> anyhow::Result<Lapses> {
    let in_use = context.store.users.gateways().await?;
    let alive = lease::live_gateways(&context.bus).await?;
    Ok(monitor.observe(Instant::now(), in_use, &alive))
}

async fn complete_closes(context: &Context) -> anyhow::Result<()> {
    let closed = context.store.rooms.closed_before(context.ago(COMPLETING)).await?;
    for_each(closed, |room| async move { closing::complete_close(context, &room).await }).await
}

async fn close_rooms_not_entered(context: &Context) -> anyhow::Result<()> {
    let too_old = context.ago(context.config.enter_timeout);
    for_each(context.store.rooms.not_entered_in_time(too_old).await?, |room| {
        metrics::counter!(ROOMS_NOT_ENTERED).increment(1);
        closing::close(context, room.id(), Cause::NotEntered)
    })
    .await
}

async fn notify_partners(context: &Context, lapses: &Lapses) -> anyhow::Result<()> {
    let candidates = context.store.users.perhaps_with_partner_to_notify(lapses).await?;
    for_each(candidates, |user| async move { partner::update(context, &user, lapses).await }).await
}

/// Nobody is removed who is on the way back: their command may lie in the stream for as long as MongoDB or all matchers
/// are unavailable, and while NATS is unavailable it is not even there.
async fn remove_gone(context: &Context, lapses: &Lapses) -> anyhow::Result<()> {
    let then = context.ago(context.config.resume_window);
    let candidates = context.store.users.perhaps_gone(then, lapses).await?;
    let is_gone = |user: &User| user.is_gone(lapses, context.now_ms(), context.timeouts());
    let gone: Vec<User> = candidates.into_iter().filter(is_gone).collect();
    if gone.is_empty() || !lapses.settled() {
        return Ok(());
    }
    let returning = returning(context).await?;
    let gone = gone.into_iter().filter(|user| !returning.contains(&user.id())).collect();
    for_each(gone, |user: User| remove(context, user.id(), lapses)).await
}

/// Users with a connection that was not applied yet: a command that is done is not in the stream any more.
async fn returning(context: &Context) -> anyhow::Result<HashSet<UserId>> {
    let stream = context.bus.js.get_stream_no_info(streams::USERS).await?;
    let connects = stream.info_with_subjects(subjects::CONNECTS).await.context("looking for returning users")?;
    let users = connects.try_filter_map(async |(subject, _)| Ok(subjects::last_id::<UserId>(&subject)));
    users.try_collect().await.context("looking for returning users")
}

async fn remove(context: &Context, user: UserId, lapses: &Lapses) -> anyhow::Result<()> {
    let (now, timeouts) = (context.now_ms(), context.timeouts());
    let user = context.store.users.change(user, |user| user.remove_gone(lapses, now, timeouts)).await?.after;
    match user.room() {
        Some(room) if user.is_gone(lapses, now, timeouts) => {
            closing::close(context, room, Cause::Gone(user.id())).await
        }
        _ => Ok(()),
    }
}

async fn forget_erased(context: &Context) -> anyhow::Result<()> {
    Ok(context.store.users.forget_erased_before(context.ago(timing::TOMBSTONE)).await?)
}

async fn step<T>(name: &'static str, step: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(STEP_DEADLINE, step).await.map_err(anyhow::Error::from).flatten().context(name)
}
