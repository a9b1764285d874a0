//! What time alone changes: connections that did not come back, gateways that died, rooms that
//! nobody entered, work that a crash cut off.

use crate::{Matcher, config::ms, connection::Gone, gateways::Gateways, numbers, rooms::Room, user::TOMBSTONE};
use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proto::{RoomId, UserId, bus::now_ms, events::EndReason, lease, streams, subjects};
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

/// How often to sweep: with the tombstones' 3 s, everything is erased within 5 s.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// A closed room is left alone for so long: whoever closed it is finishing it.
const FINISHING_MS: i64 = 1000;

/// How long a step may take, so that what hangs does not keep the others from their turn; the next sweep goes on
/// where it was cut off. Longer than the bus takes to answer, 5 s, and than a second for thousands of users.
const STEP: Duration = Duration::from_secs(10);

/// How many users or rooms are changed beside each other.
const BESIDE: usize = 32;

impl Matcher {
    /// Sweeps once. A step that fails keeps no other from its turn.
    ///
    /// # Errors
    /// The first that there was.
    pub(crate) async fn sweep(&self, gateways: &mut Gateways) -> anyhow::Result<()> {
        let before = [
            step("finishing rooms", self.finish_closed_rooms()).await,
            step("announcing again", self.announce_again()).await,
            step("dissolving rooms that were not entered", self.dissolve_rooms_not_entered()).await,
            step("telling partners of drained connections", self.tell_partners_of_drained()).await,
        ];
        let looked = step("looking for dead gateways", self.disconnect_dead_gateways(gateways)).await;
        if looked.is_err() {
            gateways.forget();
        }
        let after = [
            step("removing who is away too long", self.remove_gone(gateways.settled(Instant::now()))).await,
            step("forgetting the erased", self.forget_erased()).await,
            step("putting off the backstop", self.put_off_backstop()).await,
            step("standing in for the backstop", self.stand_in_for_backstop()).await,
        ];
        before.into_iter().chain([looked]).chain(after).collect()
    }

    async fn finish_closed_rooms(&self) -> anyhow::Result<()> {
        let closed = self.rooms.closed_before(now_ms() - FINISHING_MS).await?;
        each(closed, |room| async move { self.finish(&room).await }).await
    }

    /// Who joined goes back to the queue, who did not is removed.
    async fn dissolve_rooms_not_entered(&self) -> anyhow::Result<()> {
        let too_old = now_ms() - ms(self.config.join_timeout);
        each(self.rooms.not_entered_in_time(too_old).await?, |room| async move {
            let joined = room.members.iter().filter(|member| member.joined).map(|member| member.user);
            if self.close(&room, EndReason::Gone, joined.collect()).await? {
                metrics::counter!(numbers::ROOMS_NOT_ENTERED).increment(1);
            }
            Ok(())
        })
        .await
    }

    async fn tell_partners_of_drained(&self) -> anyhow::Result<()> {
        let now = now_ms();
        each(self.users.with_partner_to_tell(now).await?, |user| async move {
            let user = self.users.change(user.id, |user| user.partner_hears(now)).await?.after;
            self.partner_hears(&user).await
        })
        .await
    }

    async fn disconnect_dead_gateways(&self, gateways: &mut Gateways) -> anyhow::Result<()> {
        let in_use = self.users.gateways().await?;
        let alive = lease::live_gateways(&self.bus).await?;
        for gateway in gateways.dead(Instant::now(), in_use, &alive) {
            let lost = self.users.on_gateway(&gateway).await?;
            tracing::warn!(gateway, connections = lost.len(), "a gateway is dead");
            // The epoch protects whoever has come back elsewhere.
            let gone = |epoch| Gone { epoch, seen: None, sequence: 0, now: now_ms(), partner_hears_at: None };
            each(lost, |user| async move { self.disconnect(user.id, gone(user.epoch)).await.map(drop) }).await?;
        }
        Ok(())
    }

    /// Whoever is on the way back is not gone: their command may lie in the stream for as long as MongoDB or all
    /// matchers are away, and while NATS is away it is not even there.
    async fn remove_gone(&self, settled: bool) -> anyhow::Result<()> {
        let since = now_ms() - ms(self.config.resume_window);
        let gone = self.users.away_since(since).await?;
        if gone.is_empty() || !settled {
            return Ok(());
        }
        let returning = self.returning().await?;
        let gone = gone.into_iter().filter(|user| !returning.contains(&user.id)).collect();
        each(gone, |user| self.remove(user.id, since)).await
    }

    /// Who has a connection that was not noted yet: what is done with is not in the stream any more.
    async fn returning(&self) -> anyhow::Result<HashSet<UserId>> {
        let stream = self.bus.js.get_stream_no_info(streams::USERS).await?;
        let connects = stream.info_with_subjects(subjects::CONNECTS).await.context("looking for who comes back")?;
        let users = connects.try_filter_map(async |(subject, _)| Ok(subjects::last_id::<UserId>(&subject)));
        users.try_collect().await.context("looking for who comes back")
    }

    async fn remove(&self, user: UserId, away_since: i64) -> anyhow::Result<()> {
        let user = self.users.change(user, |user| user.expire(away_since, now_ms())).await?.after;
        match user.room {
            Some(room) if user.is_away_since(away_since) => self.end(room, user.id, EndReason::Gone).await,
            _ => Ok(()),
        }
    }

    async fn forget_erased(&self) -> anyhow::Result<()> {
        Ok(self.users.forget_erased_before(now_ms() - ms(TOMBSTONE)).await.map(drop)?)
    }

    /// For who is connected, and for rooms with somebody who is. Each by its own time: who often comes back has
    /// theirs put off without the room's.
    async fn put_off_backstop(&self) -> anyhow::Result<()> {
        self.users.put_off_backstop().await?;
        let near = self.rooms.near_backstop().await?;
        if near.is_empty() {
            return Ok(());
        }
        let connected = self.users.connected_of(near.iter().flat_map(Room::users)).await?;
        let occupied = near.iter().filter(|room| room.users().iter().any(|user| connected.contains(user)));
        let occupied: Vec<RoomId> = occupied.map(|room| room.id).collect();
        Ok(self.rooms.put_off_backstop(&occupied).await?)
    }

    /// Removes what MongoDB would remove within the next minute, to be able to count it: all of
    /// it should have been removed before.
    async fn stand_in_for_backstop(&self) -> anyhow::Result<()> {
        let rooms = self.rooms.expired().await?;
        let users = self.users.remove_expired().await?;
        metrics::counter!(numbers::BACKSTOP_REMOVED).increment(rooms.len() as u64 + users);
        each(rooms, |room| async move {
            let _closed_before = self.close(&room, EndReason::Gone, Vec::new()).await?;
            self.finish(&room).await
        })
        .await
    }
}

async fn step(what: &'static str, step: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::time::timeout(STEP, step).await.map_err(anyhow::Error::from).flatten().context(what)
}

/// Many beside each other, since each waits for the journal; all of them, whichever fails.
///
/// # Errors
/// The first that there was.
pub(crate) async fn each<T, F>(all: Vec<T>, step: impl Fn(T) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let steps: Vec<F> = all.into_iter().map(step).collect();
    stream::iter(steps).buffer_unordered(BESIDE).fold(Ok(()), async |first, next| first.and(next)).await
}
