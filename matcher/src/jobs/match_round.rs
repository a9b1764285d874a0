//! One round of matching: everybody who can be paired is.

use crate::{
    context::Context,
    domain::{
        leases::Lapses,
        pairing::{Candidate, Pair, Plan, plan},
        room::Cause,
    },
    metrics::{FALLBACKS, MATCH_ROUND_SECONDS, MATCH_WAIT_SECONDS, MATCHES, OLDEST_WAIT_SECONDS, WAITING},
    rooms::{announce, closing, for_each},
    store::matching::Outcome,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use proto::{Notification, Queue, notification::QueueStatus, subjects};
use std::time::{Duration, Instant};

/// Pairs that are claimed at once, and how many such parts concurrently. Measured: 20,000 users in 0.4 s, against 20 s one
/// pair at a time.
const PAIRS: usize = 500;
const PARTS: usize = 4;

/// Reads the candidates, pairs them, announces the rooms, moves those who waited too long. Returns when somebody who was
/// paired and is not ready yet will be. Does nothing while the leases are unknown: the sweep asks for a round once they are.
pub(super) async fn run(context: &Context, lapses: &Lapses) -> anyhow::Result<Option<Duration>> {
    if !lapses.known() {
        return Ok(None);
    }
    let (started, now) = (Instant::now(), context.now_ms());
    let mut candidates = context.store.matching.candidates().await?;
    candidates.retain(|candidate| lapses.may_be_offered(&candidate.connection.stamp.gateway));
    let mut plan = plan(candidates, now, context.config.fallback_after);
    let ready_at = plan.hold_back_unready(now);
    let parts: Vec<_> = plan.pairs.chunks(PAIRS).map(|pairs| claim(context, pairs.to_vec(), now)).collect();
    stream::iter(parts).buffer_unordered(PARTS).try_collect::<()>().await?;
    for moved in &plan.left {
        move_to_talk(context, moved).await?;
    }
    publish_status(context, &plan, now).await?;
    metrics::histogram!(MATCH_ROUND_SECONDS).record(started.elapsed());
    // One more, since times are stored in whole milliseconds.
    Ok(ready_at.map(|at| Duration::from_millis(u64::try_from(at - now).unwrap_or(0) + 1)))
}

async fn claim(context: &Context, pairs: Vec<Pair>, now: i64) -> anyhow::Result<()> {
    // Its own time, since a round with many pairs takes a while.
    let Outcome { matched, conflicted } = context.store.matching.claim(pairs, context.now_ms()).await?;
    metrics::counter!(MATCHES).increment(matched.len() as u64);
    for candidate in matched.iter().flat_map(|claim| &claim.pair) {
        metrics::histogram!(MATCH_WAIT_SECONDS).record(seconds(candidate.waited_ms(now)));
        metrics::counter!(FALLBACKS).increment(candidate.moved_from.is_some().into());
    }
    // Those who have a room are notified first, and also when the others cannot be requeued.
    let announced = announce::announce(context, matched).await;
    let requeued = for_each(conflicted, |room| closing::close(context, room.id(), Cause::Vanished)).await;
    announced.and(requeued)
}

async fn move_to_talk(context: &Context, candidate: &Candidate) -> anyhow::Result<()> {
    let Some(from) = candidate.moved_from else { return Ok(()) };
    if context.store.matching.move_to_talk(candidate).await? {
        metrics::counter!(FALLBACKS).increment(1);
        let moved = Notification::Moved { from, to: candidate.queue };
        context.bus.notify_user(None, candidate.user, &moved).await?;
    }
    Ok(())
}

async fn publish_status(context: &Context, plan: &Plan, now: i64) -> anyhow::Result<()> {
    let [vent, listen, talk] = Queue::ALL.map(|queue| {
        let waited = plan.left.iter().filter(|left| left.queue == queue).map(|left| left.waited_ms(now));
        let (count, oldest) = waited.fold((0_u64, 0), |(count, oldest), waited| (count + 1, waited.max(oldest)));
        metrics::gauge!(WAITING, "queue" => queue.as_str()).set(count as f64);
        metrics::gauge!(OLDEST_WAIT_SECONDS, "queue" => queue.as_str()).set(seconds(oldest));
        count
    });
    let status = QueueStatus { vent, listen, talk };
    Ok(context.bus.publish(subjects::QUEUE_STATUS.into(), &status).await?)
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
