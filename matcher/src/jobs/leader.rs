//! Who is the leader, and when it does what: the policy apart from the steps.

use crate::{
    context::Context,
    domain::leases::{Lapses, LeaseMonitor},
    jobs::{gauges, match_round, reconcile, sweep},
    metrics::{LEADER, set_gauges_to_zero},
    store::clock,
};
use proto::{
    lease::{self, Lease, Renewal},
    process::Supervisor,
    timing,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// After a round of matching, wake-ups are gathered for so long, or for as long as the round took.
const GATHER: Duration = Duration::from_millis(10);

/// How long a round or a measurement may take: far longer than with 20,000 people who wait, 0.5 s. One that hangs is
/// given up, so that its connection to MongoDB is, too.
const DEADLINE: Duration = Duration::from_secs(10);

/// What the tasks of a leader share.
#[derive(Clone)]
struct Leader {
    context: Arc<Context>,
    leading: watch::Receiver<bool>,
    shutdown: CancellationToken,
}

/// Starts the tasks of a leader: they work while this process holds the lease.
pub(crate) async fn start(
    supervisor: &mut Supervisor,
    context: &Arc<Context>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let holder = context.id.to_string();
    let lease = Lease::new(&context.bus, lease::LEADER, &holder, context.config.leader_lease).await?;
    let (announce, leading) = watch::channel(false);
    // What the sweep knows of the leases, for the rounds of matching.
    let (observed, lapses) = watch::channel(Lapses::default());
    let leader = Leader { context: context.clone(), leading, shutdown: shutdown.clone() };
    supervisor.spawn("leader lease", hold_lease(lease, context.clone(), announce, shutdown.clone()));
    supervisor.spawn("matching", leader.clone().match_people(lapses));
    supervisor.spawn("sweep", leader.clone().sweep(observed));
    supervisor.spawn("reconciliation", leader.clone().reconcile());
    supervisor.spawn("gauges", leader.measure());
    supervisor.spawn("clock", follow_clock(context.clone(), shutdown.clone()));
    Ok(())
}

async fn hold_lease(
    mut lease: Lease,
    context: Arc<Context>,
    announce: watch::Sender<bool>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let mut renewal = interval(context.config.leader_lease / 3);
    let mut held_before = false;
    while shutdown.run_until_cancelled(renewal.tick()).await.is_some() {
        let held = match lease.renew().await {
            Ok(renewal) => renewal != Renewal::HeldByAnother,
            // Not lost yet: that shows when NATS replies.
            Err(error) => {
                tracing::warn!("leader lease unknown: {error:#}");
                set_leading(&context, &announce, false);
                continue;
            }
        };
        if std::mem::replace(&mut held_before, held) && !held {
            metrics::counter!(proto::metrics::LEASE_LOSSES).increment(1);
        }
        set_leading(&context, &announce, held);
    }
    set_leading(&context, &announce, false);
    if let Err(error) = lease.release().await {
        tracing::warn!("leader lease not released, it lapses: {error:#}");
    }
    Ok(())
}

fn set_leading(context: &Context, announce: &watch::Sender<bool>, now: bool) {
    context.wakeup.set_leading(now);
    metrics::gauge!(LEADER).set(f64::from(u8::from(now)));
    if announce.send_replace(now) != now {
        if !now {
            set_gauges_to_zero();
        }
        tracing::info!(leader = now, "leadership changed");
    }
}

impl Leader {
    /// Matches every interval, and at once after a wake-up. One that comes during a round is remembered until after it, so
    /// that a user who came too late to be read is matched by the next one.
    async fn match_people(mut self, lapses: watch::Receiver<Lapses>) -> anyhow::Result<()> {
        let mut failures = Failures::of("matching");
        while self.is_leading().await {
            let started = Instant::now();
            let known = lapses.borrow().clone();
            let round = within_deadline(match_round::run(&self.context, &known)).await;
            let next = round.as_ref().ok().copied().flatten().unwrap_or(self.context.config.match_interval);
            failures.note(round.map(drop));
            self.reset_gauges_unless_leading();
            let wait = async {
                tokio::time::sleep(started.elapsed().max(GATHER)).await;
                let next = next.min(self.context.config.match_interval);
                let _woken_or_due = tokio::time::timeout(next, self.context.wakeup.notified()).await;
            };
            self.shutdown.run_until_cancelled(wait).await;
        }
        Ok(())
    }

    async fn sweep(mut self, observed: watch::Sender<Lapses>) -> anyhow::Result<()> {
        let mut failures = Failures::of("sweep");
        let mut monitor = LeaseMonitor::new(self.context.config.lease_grace);
        let mut due = interval(timing::SWEEP);
        while self.is_leading().await {
            failures.note(sweep::run(&self.context, &mut monitor, &observed).await);
            self.shutdown.run_until_cancelled(due.tick()).await;
            if !*self.leading.borrow() {
                monitor.reset();
                observed.send_replace(Lapses::default());
            }
        }
        Ok(())
    }

    async fn reconcile(mut self) -> anyhow::Result<()> {
        let mut failures = Failures::of("reconciliation");
        let mut suspects = reconcile::Suspects::default();
        let mut due = interval(self.context.config.reconcile_interval);
        while self.is_leading().await {
            self.shutdown.run_until_cancelled(due.tick()).await;
            if *self.leading.borrow() && !self.shutdown.is_cancelled() {
                failures.note(reconcile::run(&self.context, &mut suspects).await);
            }
        }
        Ok(())
    }

    async fn measure(mut self) -> anyhow::Result<()> {
        let mut failures = Failures::of("measuring");
        let mut due = interval(gauges::EVERY);
        while self.is_leading().await {
            failures.note(within_deadline(gauges::measure(&self.context)).await);
            self.reset_gauges_unless_leading();
            self.shutdown.run_until_cancelled(due.tick()).await;
        }
        Ok(())
    }

    /// The lease was lost during a measurement: nobody else sets its gauges to zero any more.
    fn reset_gauges_unless_leading(&self) {
        if !*self.leading.borrow() {
            set_gauges_to_zero();
        }
    }

    /// Waits until this process is the leader; false when it is time to stop.
    async fn is_leading(&mut self) -> bool {
        let leading = self.shutdown.run_until_cancelled(self.leading.wait_for(|leading| *leading)).await;
        matches!(leading, Some(Ok(_))) && !self.shutdown.is_cancelled()
    }
}

/// Every matcher measures the common clock, leader or not.
async fn follow_clock(context: Arc<Context>, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut due = interval(clock::MEASURED_EVERY);
    while shutdown.run_until_cancelled(due.tick()).await.is_some() {
        if let Err(error) = context.store.clock.measure().await {
            tracing::debug!(%error, "clock not measured");
        }
    }
    Ok(())
}

fn interval(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn within_deadline<T>(step: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(DEADLINE, step).await?
}

/// Logs the first failure of a row, and its end.
struct Failures {
    job: &'static str,
    failing: bool,
}

impl Failures {
    fn of(job: &'static str) -> Self {
        Self { job, failing: false }
    }

    fn note(&mut self, result: anyhow::Result<()>) {
        let failed = result.is_err();
        match result {
            Err(error) if !self.failing => tracing::error!(job = self.job, "job failing, retried: {error:#}"),
            Ok(()) if self.failing => tracing::info!(job = self.job, "job recovered"),
            Err(error) => tracing::debug!(job = self.job, "job still failing: {error:#}"),
            Ok(()) => {}
        }
        self.failing = failed;
    }
}
