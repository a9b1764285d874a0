//! What time alone changes: connections that did not come back, gateways that died, rooms that
//! nobody entered, work that a crash cut off.

use crate::{Matcher, config::ms, connection::Gone, gateways::Gateways, numbers, user::TOMBSTONE};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proto::{UserId, bus::now_ms, events::EndReason, lease};
use std::time::{Duration, Instant};

/// How often to sweep: with the tombstones' 3 s, everything is erased within 5 s.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// A closed room is left alone for so long: whoever closed it is finishing it.
const FINISHING_MS: i64 = 1000;

/// How many users or rooms are changed beside each other.
const BESIDE: usize = 32;

impl Matcher {
    /// Sweeps once.
    pub(crate) async fn sweep(&self, gateways: &mut Gateways) -> anyhow::Result<()> {
        self.finish_closed_rooms().await?;
        self.announce_again().await?;
        self.dissolve_rooms_not_entered().await?;
        self.tell_partners_of_drained().await?;
        self.disconnect_dead_gateways(gateways).await?;
        self.remove_gone().await?;
        self.users.forget_erased_before(now_ms() - ms(TOMBSTONE)).await?;
        self.put_off_backstop().await?;
        self.stand_in_for_backstop().await
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
        for user in self.users.with_partner_to_tell(now).await? {
            let user = self.users.change(user.id, |user| user.partner_hears(now)).await?.after;
            self.partner_hears(&user).await?;
        }
        Ok(())
    }

    async fn disconnect_dead_gateways(&self, gateways: &mut Gateways) -> anyhow::Result<()> {
        let in_use = self.users.gateways().await?;
        let alive = match lease::live_gateways(&self.bus).await {
            Ok(alive) => alive,
            Err(error) => {
                gateways.forget();
                return Err(error);
            }
        };
        for gateway in gateways.dead(Instant::now(), in_use, &alive) {
            let lost = self.users.on_gateway(&gateway).await?;
            tracing::warn!(gateway, connections = lost.len(), "a gateway is dead");
            // The epoch protects whoever has come back elsewhere.
            let gone = |epoch| Gone { epoch, seen: None, sequence: 0, now: now_ms(), partner_hears_at: None };
            each(lost, |user| async move { self.disconnect(user.id, gone(user.epoch)).await.map(drop) }).await?;
        }
        Ok(())
    }

    async fn remove_gone(&self) -> anyhow::Result<()> {
        let since = now_ms() - ms(self.config.resume_window);
        each(self.users.away_since(since).await?, |user| self.remove(user.id, since)).await
    }

    async fn remove(&self, user: UserId, away_since: i64) -> anyhow::Result<()> {
        let user = self.users.change(user, |user| user.expire(away_since, now_ms())).await?.after;
        match user.room {
            Some(room) if user.is_away_since(away_since) => self.end(room, user.id, EndReason::Gone).await,
            _ => Ok(()),
        }
    }

    async fn put_off_backstop(&self) -> anyhow::Result<()> {
        let rooms = self.users.put_off_backstop().await?;
        if !rooms.is_empty() {
            self.rooms.put_off_backstop(&rooms).await?;
        }
        Ok(())
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

/// Many beside each other, since each waits for the journal.
async fn each<T, F>(all: Vec<T>, step: impl Fn(T) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let steps: Vec<F> = all.into_iter().map(step).collect();
    stream::iter(steps).buffer_unordered(BESIDE).try_collect().await
}
