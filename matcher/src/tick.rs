//! Who ticks, and when: the policy apart from the steps, which are in `matching` and `sweep`.
//! One matcher holds the lease; two by mistake do no harm, since claims are conditional.

use crate::{Matcher, counting, gateways::Gateways, numbers, sweep};
use proto::lease::{self, Held, Lease};
use std::time::{Duration, Instant};
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// After a tick, wake-ups are gathered for so long, or as long as the tick took.
const GATHER: Duration = Duration::from_millis(10);

/// How long a tick or a count may take: far longer than with 20,000 people who wait, 0.5 s. One that hangs is given up,
/// so that its connection to MongoDB is, too.
const DEADLINE: Duration = Duration::from_secs(10);

/// Ticks while this process holds the lease, until `shutdown`; then gives it back.
pub(crate) async fn run(matcher: &Matcher, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let lease = Lease::new(&matcher.bus, lease::TICK, &matcher.id.to_string(), matcher.config.tick_lease).await?;
    let (ticking, watch) = watch::channel(false);
    tokio::join!(
        hold(lease, matcher, ticking, shutdown),
        match_people(matcher, watch.clone(), shutdown),
        sweep_up(matcher, watch.clone(), shutdown),
        count_people(matcher, watch, shutdown),
    );
    Ok(())
}

async fn hold(mut lease: Lease, matcher: &Matcher, ticking: watch::Sender<bool>, shutdown: &CancellationToken) {
    let mut renewal = tokio::time::interval(matcher.config.tick_lease / 3);
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut had = false;
    while shutdown.run_until_cancelled(renewal.tick()).await.is_some() {
        let held = match lease.hold().await {
            Ok(held) => held != Held::ByAnother,
            // Not lost yet: that shows when NATS answers.
            Err(error) => {
                tracing::warn!("whether this matcher ticks is unknown: {error:#}");
                set_ticking(matcher, &ticking, false);
                continue;
            }
        };
        if std::mem::replace(&mut had, held) && !held {
            metrics::counter!(proto::numbers::LEASE_LOSSES).increment(1);
        }
        set_ticking(matcher, &ticking, held);
    }
    set_ticking(matcher, &ticking, false);
    if let Err(error) = lease.give_back().await {
        tracing::warn!("the lease lapses by itself: {error:#}");
    }
}

fn set_ticking(matcher: &Matcher, ticking: &watch::Sender<bool>, now: bool) {
    matcher.wake.set_ticking(now);
    metrics::gauge!(numbers::TICKING).set(f64::from(u8::from(now)));
    if ticking.send_replace(now) != now {
        if !now {
            numbers::count_nobody();
        }
        tracing::info!(now, "this matcher ticks");
    }
}

/// Matches every interval, and at once when the bell rings. A ring during a tick is remembered
/// until after it, so that whoever came too late to be read is matched by the next one.
async fn match_people(matcher: &Matcher, mut ticking: watch::Receiver<bool>, shutdown: &CancellationToken) {
    let mut trouble = Trouble::default();
    while held(&mut ticking, shutdown).await {
        let started = Instant::now();
        trouble.note("a tick", in_time(matcher.tick()).await);
        count_nobody_unless(&ticking);
        let wait = async {
            tokio::time::sleep(started.elapsed().max(GATHER)).await;
            let _rung_or_due = tokio::time::timeout(matcher.config.match_interval, matcher.wake.rung()).await;
        };
        shutdown.run_until_cancelled(wait).await;
    }
}

async fn sweep_up(matcher: &Matcher, mut ticking: watch::Receiver<bool>, shutdown: &CancellationToken) {
    let mut trouble = Trouble::default();
    let mut gateways = Gateways::new(matcher.config.gateway_grace);
    let mut due = tokio::time::interval(sweep::EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while held(&mut ticking, shutdown).await {
        trouble.note("a sweep", matcher.sweep(&mut gateways).await);
        shutdown.run_until_cancelled(due.tick()).await;
        if !*ticking.borrow() {
            gateways.forget();
        }
    }
}

async fn count_people(matcher: &Matcher, mut ticking: watch::Receiver<bool>, shutdown: &CancellationToken) {
    let mut trouble = Trouble::default();
    let mut due = tokio::time::interval(counting::EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while held(&mut ticking, shutdown).await {
        trouble.note("counting", in_time(matcher.count()).await);
        count_nobody_unless(&ticking);
        shutdown.run_until_cancelled(due.tick()).await;
    }
}

async fn in_time(step: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::time::timeout(DEADLINE, step).await?
}

/// The lease was lost while this was counted: nobody else sets it to zero any more.
fn count_nobody_unless(ticking: &watch::Receiver<bool>) {
    if !*ticking.borrow() {
        numbers::count_nobody();
    }
}

/// Waits for the lease; false when it is time to stop.
async fn held(ticking: &mut watch::Receiver<bool>, shutdown: &CancellationToken) -> bool {
    let held = shutdown.run_until_cancelled(ticking.wait_for(|ticking| *ticking)).await;
    matches!(held, Some(Ok(_))) && !shutdown.is_cancelled()
}

/// Logs the first failure of a row, and its end.
#[derive(Default)]
struct Trouble {
    failing: bool,
}

impl Trouble {
    fn note(&mut self, what: &str, result: anyhow::Result<()>) {
        let failed = result.is_err();
        match result {
            Err(error) if !self.failing => tracing::error!("{what} failed; trying on: {error:#}"),
            Ok(()) if self.failing => tracing::info!("{what} succeeds again"),
            Err(error) => tracing::debug!("{what} failed again: {error:#}"),
            Ok(()) => {}
        }
        self.failing = failed;
    }
}
