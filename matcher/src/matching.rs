//! One tick: everybody who can be paired is.

use crate::{
    Matcher,
    claims::Outcome,
    numbers,
    pairing::{Pair, Plan, Waiting, plan},
    sweep::each,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proto::{Live, Queue, bus::now_ms, events::QueueStatus, subjects};
use std::time::Instant;

/// Pairs that are claimed at once, and how many such parts beside each other. Measured: 20,000
/// users in 0.4 s, against 20 s one pair at a time.
const PAIRS: usize = 500;
const PARTS: usize = 4;

impl Matcher {
    /// Reads who waits, pairs them, announces the rooms, moves who waited too long.
    pub(crate) async fn tick(&self) -> anyhow::Result<()> {
        let (started, now) = (Instant::now(), now_ms());
        let mut plan = plan(self.claims.waiting().await?, now, self.config.fallback_after);
        plan.hold_back_unsettled(now);
        let parts: Vec<_> = plan.pairs.chunks(PAIRS).map(|pairs| self.pair_up(pairs.to_vec(), now)).collect();
        stream::iter(parts).buffer_unordered(PARTS).try_collect::<()>().await?;
        for moved in &plan.left {
            self.move_to_talk(moved).await?;
        }
        self.report(&plan, now).await?;
        metrics::histogram!(numbers::TICK_SECONDS).record(started.elapsed());
        Ok(())
    }

    async fn pair_up(&self, pairs: Vec<Pair>, now: i64) -> anyhow::Result<()> {
        let Outcome { bound: claimed, broken } = self.claims.claim(pairs).await?;
        metrics::counter!(numbers::MATCHES).increment(claimed.len() as u64);
        for waiting in claimed.iter().flat_map(|claimed| &claimed.pair) {
            metrics::histogram!(numbers::MATCH_WAIT_SECONDS).record(seconds(waiting.waited_ms(now)));
            metrics::counter!(numbers::FALLBACKS).increment(waiting.moved_from.is_some().into());
        }
        // Whoever has a room hears of it first, and also when the others cannot be put back.
        let announced = self.announce(claimed).await;
        let dissolved = each(broken, |room| async move { self.dissolve(&room).await.map(drop) }).await;
        announced.and(dissolved)
    }

    async fn move_to_talk(&self, waiting: &Waiting) -> anyhow::Result<()> {
        let Some(from) = waiting.moved_from else { return Ok(()) };
        if self.claims.move_to_talk(waiting).await? {
            metrics::counter!(numbers::FALLBACKS).increment(1);
            self.bus.tell(None, waiting.user, &Live::Moved { from, to: waiting.queue }).await?;
        }
        Ok(())
    }

    async fn report(&self, plan: &Plan, now: i64) -> anyhow::Result<()> {
        let [vent, listen, talk] = Queue::ALL.map(|queue| {
            let waited = plan.left.iter().filter(|left| left.queue == queue).map(|left| left.waited_ms(now));
            let (count, oldest) = waited.fold((0_u64, 0), |(count, oldest), waited| (count + 1, waited.max(oldest)));
            metrics::gauge!(numbers::WAITING, "queue" => queue.as_str()).set(count as f64);
            metrics::gauge!(numbers::OLDEST_WAIT_SECONDS, "queue" => queue.as_str()).set(seconds(oldest));
            count
        });
        let status = QueueStatus { vent, listen, talk };
        Ok(self.bus.publish(subjects::QUEUE_STATUS.into(), &status).await?)
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
