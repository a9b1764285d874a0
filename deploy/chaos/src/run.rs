//! One run: start the stack, traffic, faults, let all users leave, check.

use std::{path::PathBuf, sync::Arc, time::Duration};

use fastrand::Rng;
use local::{Database, Stack, StackOptions};
use proto::bus::now_ms;
use tokio::time::{Instant, sleep};

use crate::{
    checker::{ALWAYS, Coverage, Findings, Violation, check},
    faults::{Fault, SUSPENDABLE, aim, bus_proxy::BusProxy, scene::Scene},
    history::{Entry, History},
    observe::{
        leftovers::{Sweeps, wait_for_nothing},
        machine::StandstillWatch,
        orphans::OrphanWatch,
        poison::Poison,
        witness::Witness,
    },
    report::Report,
    traffic::{Lingering, Traffic},
};

/// How long all users may take to leave: the longest patience of any.
const LEAVING: Duration = Duration::from_secs(60);
/// A connection whose packets are dropped is noticed after 25 s, its user removed 30 s later, and nothing is left within
/// 5 s; and the machine is busy.
const REMOVED: Duration = Duration::from_secs(70);
/// How many users come before each fault who leave at the moment of their match.
const FICKLE: u32 = 10;
/// A bad command became a dead letter, with its reason.
const DEAD: &str = "dead letters";

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    /// The executable that is run again for each service.
    pub executable: PathBuf,
    /// Decides users and faults.
    pub seed: u64,
    /// How long faults strike.
    pub time: Duration,
    /// How long there is traffic before the first fault, and after the last one.
    pub calm: Duration,
    /// How many users there are at once.
    pub users: usize,
    /// Which faults, in this order again and again, each at least once; none for all of them, shuffled.
    pub faults: Vec<Fault>,
}

/// Runs a plan; what happens is logged line by line.
///
/// # Errors
/// When the stack does not start, or something does not come back after a fault.
pub async fn run(plan: Plan, log: impl Fn(&str)) -> anyhow::Result<Report> {
    let (sweeps, bus_proxy) = (Sweeps::default(), Arc::new(BusProxy::new()));
    let stack = Stack::start(options(&plan, &sweeps, &bus_proxy)).await?;
    let witness = Witness::watch(stack.mongodb_uri(), stack.database()).await?;
    let poison = Poison::start(&stack).await?;
    let history = History::default();
    let _standstills = StandstillWatch::start(&history);
    let orphans = OrphanWatch::start(&stack, &history);
    let world = Run { plan: &plan, stack: &stack, bus_proxy: &bus_proxy, witness: &witness, history: &history };
    let (mut left, lingering) = world.break_under_traffic(&log).await?;
    log("all users leave");
    let (wrong, dead_letters) = poison.finish().await?;
    left.extend(wrong);
    left.extend(wait_for_nothing(&stack, REMOVED).await?);
    drop(lingering);
    left.extend(sweeps.lines());
    drop(orphans);
    witness.catch_up().await?;
    let (entries, facts) = (history.entries(), witness.facts());
    let Findings { mut violations, mut coverage } = check(&entries, &facts, &left);
    aim::count(&entries, &facts, &mut coverage);
    (0..dead_letters).for_each(|_| coverage.judged(DEAD, now_ms()));
    violations.extend(never_judged(&entries, &coverage));
    if !violations.is_empty() {
        log(&stack.recent_logs());
    }
    stack.stop().await?;
    Ok(Report { violations, coverage, seed: plan.seed, entries, facts })
}

fn options(plan: &Plan, sweeps: &Sweeps, bus_proxy: &Arc<BusProxy>) -> StackOptions {
    let (suspendable, bus_proxy) = (format!("gateway-{}", SUSPENDABLE + 1), bus_proxy.clone());
    let via = move |service: &str, url: &str| match service == suspendable {
        true => bus_proxy.instead_of(url).map(Some),
        false => Ok(None),
    };
    StackOptions {
        gateways: 2,
        matchers: 2,
        chat_stores: 3,
        nats_nodes: 3,
        mongodb_members: 3,
        mongodb: Database::Own,
        sink: Some(sweeps.sink()),
        nats_via: Some(Box::new(via)),
        ..StackOptions::new(&plan.executable)
    }
}

/// What was never put to the test, although the run was there for that.
fn never_judged(entries: &[Entry], coverage: &Coverage) -> Vec<Violation> {
    let mut wanted = ALWAYS.to_vec();
    wanted.push(DEAD);
    let struck = |fault: Fault| entries.iter().any(|entry| entry.who == fault.name());
    let aimed = aim::AIMED_FAULTS.into_iter().filter(|(fault, _)| struck(*fault));
    wanted.extend(aimed.map(|(_, what)| what));
    let never = wanted.into_iter().filter(|what| coverage.of(what) == 0).map(|what| (what, "never".to_owned()));
    let under = coverage.missing(entries).into_iter().map(|(what, fault)| (what, format!("never under {fault}")));
    let unseen = |(promise, when)| Violation {
        promise,
        what: format!("{when}: this run could not have seen it broken"),
        around: Vec::new(),
    };
    never.chain(under).map(unseen).collect()
}

/// What a run has while users are there.
struct Run<'a> {
    plan: &'a Plan,
    stack: &'a Stack,
    bus_proxy: &'a BusProxy,
    witness: &'a Witness,
    history: &'a History,
}

impl Run<'_> {
    /// What is wrong already; and the connections whose packets are dropped.
    async fn break_under_traffic(&self, log: &impl Fn(&str)) -> anyhow::Result<(Vec<String>, Lingering)> {
        let Self { plan, stack, history, .. } = self;
        let mut rng = Rng::with_seed(plan.seed);
        let mut traffic = Traffic::start(stack.gateway_urls(), history, plan.users, plan.seed);
        sleep(plan.calm).await;
        traffic.add_fickle_crowd(FICKLE).await;
        let mut wrong = self.strike(&mut traffic, &mut rng, log).await?;
        sleep(plan.calm).await;
        let (stayed, lingering) = traffic.finish(LEAVING).await;
        wrong.extend((stayed > 0).then(|| format!("{stayed} users did not leave in {LEAVING:?}")));
        wrong.extend(self.start_what_died().await?);
        Ok((wrong, lingering))
    }

    /// One fault after the other until the time is over; what went wrong beside them.
    async fn strike(&self, traffic: &mut Traffic, rng: &mut Rng, log: &impl Fn(&str)) -> anyhow::Result<Vec<String>> {
        let mut wrong = Vec::new();
        let deadline = Instant::now() + self.plan.time;
        let mut next = self.plan.faults.iter().rev().copied().collect::<Vec<_>>();
        while Instant::now() < deadline || !next.is_empty() {
            let Some(fault) = next.pop() else {
                next = in_some_order(&self.plan.faults, rng);
                continue;
            };
            log(fault.name());
            traffic.add_fickle_crowd(FICKLE).await;
            let Self { stack, bus_proxy, witness, history, .. } = *self;
            fault.strike(&mut Scene { stack, bus_proxy, rng, history, witness, traffic }).await?;
            wrong.extend(self.start_what_died().await?);
            sleep(pause(fault, rng)).await;
            if self.plan.faults.is_empty() && Instant::now() > deadline {
                break;
            }
        }
        Ok(wrong)
    }

    /// No service ends because another one was broken.
    async fn start_what_died(&self) -> anyhow::Result<Vec<String>> {
        let mut died = Vec::new();
        for service in self.stack.services().filter(|service| service.pid().is_none()) {
            died.push(format!("{} ended by itself:\n{}", service.name(), service.recent_log()));
            service.start()?;
            service.ready().await?;
        }
        Ok(died)
    }
}

/// Sometimes the next fault strikes in the recovery from the last one, sometimes all is well for a while. The recovery
/// from an outage is to be seen, since nothing works before it.
fn pause(last: Fault, rng: &mut Rng) -> Duration {
    let recovering = rng.u32(..3) > 0 && !matches!(last, Fault::OutageNats | Fault::OutageMongodb);
    Duration::from_millis(if recovering { rng.u64(500..6_000) } else { rng.u64(12_000..20_000) })
}

fn in_some_order(faults: &[Fault], rng: &mut Rng) -> Vec<Fault> {
    if faults.is_empty() {
        let mut all = Fault::ALL.to_vec();
        rng.shuffle(&mut all);
        return all;
    }
    faults.iter().rev().copied().collect()
}
