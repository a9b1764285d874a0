//! One run: start, traffic, faults, everybody home, check.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use fastrand::Rng;
use local::{Database, Stack, StackOptions};
use proto::bus::now_ms;
use tokio::time::{Instant, sleep};

use crate::{
    aim,
    checker::{Findings, Violation, check},
    coverage::{ALWAYS, Coverage},
    faults::Fault,
    history::{Entry, Event, History},
    leftovers::{self, Sweeps},
    people::People,
    poison::Poison,
    standstill::Watch,
    striking::Scene,
    witness::{Change, Fact, Witness},
};

/// How long everybody may take to go home: the longest patience of anybody.
const GOING_HOME: Duration = Duration::from_secs(60);
/// Who vanished is removed after 30 s; then nothing is left within 5 s. And the noise of the machine.
const REMOVED: Duration = Duration::from_secs(45);

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    /// The executable that is run again for each service.
    pub executable: PathBuf,
    /// Decides people and faults.
    pub seed: u64,
    /// How long faults strike.
    pub time: Duration,
    /// How long people talk before the first fault, and after the last one.
    pub calm: Duration,
    /// How many people are there at once.
    pub people: usize,
    /// Which faults, in this order again and again, each at least once; none for all of them, shuffled.
    pub faults: Vec<Fault>,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// Broken promises, and those that were never put to the test.
    pub violations: Vec<Violation>,
    /// How often each could have been seen to be broken.
    pub coverage: Coverage,
    seed: u64,
    entries: Vec<Entry>,
    facts: Vec<Fact>,
}

/// Runs a plan; what happens is said line by line.
///
/// # Errors
/// When the stack does not start, or something does not come back after a fault.
pub async fn run(plan: Plan, say: impl Fn(&str)) -> anyhow::Result<Report> {
    let sweeps = Sweeps::default();
    let stack = Stack::start(StackOptions {
        gateways: 2,
        matchers: 2,
        chat_stores: 3,
        nats_nodes: 3,
        mongodb_members: 3,
        mongodb: Database::Own,
        sink: Some(sweeps.sink()),
        ..StackOptions::new(&plan.executable)
    })
    .await?;
    let witness = Witness::watch(stack.mongodb_uri(), stack.database()).await?;
    let poison = Poison::begin(&stack).await?;
    let history = History::default();
    let _watch = Watch::begin(&history);
    let mut left = break_under_traffic(&plan, &stack, &witness, &history, &say).await?;
    say("everybody goes home");
    let (wrong, poisoned) = poison.end().await?;
    left.extend(wrong);
    left.extend(leftovers::wait_for_nothing(&stack, REMOVED).await);
    left.extend(sweeps.heard());
    // The change stream is a little behind.
    sleep(Duration::from_secs(2)).await;
    let (entries, facts) = (history.entries(), witness.facts());
    let Findings { mut violations, mut coverage } = check(&entries, &facts, &left);
    aim::count(&entries, &facts, &mut coverage);
    (0..poisoned).for_each(|_| coverage.judged(DEAD, now_ms()));
    violations.extend(never_judged(&plan, &entries, &coverage));
    if !violations.is_empty() {
        say(&stack.recent_logs());
    }
    stack.stop().await?;
    Ok(Report { violations, coverage, seed: plan.seed, entries, facts })
}

/// Something bad ended among the dead letters, with its reason.
const DEAD: &str = "dead letters";

/// What the run says nothing about, although it was there for that.
fn never_judged(plan: &Plan, entries: &[Entry], coverage: &Coverage) -> Vec<Violation> {
    let mut wanted = ALWAYS.to_vec();
    wanted.push(DEAD);
    let struck = |fault| plan.faults.is_empty() || plan.faults.contains(&fault);
    let of_faults = [(Fault::KillMatcher, aim::IN_A_TICK), (Fault::KillChatStore, aim::IN_FLIGHT)];
    wanted.extend(of_faults.into_iter().filter(|(fault, _)| struck(*fault)).map(|(_, what)| what));
    let never = wanted.into_iter().filter(|what| coverage.of(what) == 0).map(|what| (what, "never".to_owned()));
    let under = coverage.missing(entries).into_iter().map(|(what, fault)| (what, format!("never under {fault}")));
    let unseen = |(invariant, when)| Violation {
        invariant,
        what: format!("{when}: this run could not have seen it broken"),
        around: Vec::new(),
    };
    never.chain(under).map(unseen).collect()
}

/// Answers what is wrong already.
async fn break_under_traffic(
    plan: &Plan,
    stack: &Stack,
    witness: &Witness,
    history: &History,
    say: &impl Fn(&str),
) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut rng = Rng::with_seed(plan.seed);
    let mut people = People::arrive(stack.gateway_urls(), history, plan.people, plan.seed);
    sleep(plan.calm).await;
    let deadline = Instant::now() + plan.time;
    let mut next = plan.faults.iter().rev().copied().collect::<Vec<_>>();
    while Instant::now() < deadline || !next.is_empty() {
        let Some(fault) = next.pop() else {
            next = in_some_order(&plan.faults, &mut rng);
            continue;
        };
        say(fault.name());
        fault.strike(&mut Scene { stack, rng: &mut rng, history, witness, people: &mut people }).await?;
        wrong.extend(start_what_died(stack).await?);
        sleep(pause(&mut rng)).await;
        if plan.faults.is_empty() && Instant::now() > deadline {
            break;
        }
    }
    sleep(plan.calm).await;
    let stayed = people.go_home(GOING_HOME).await;
    wrong.extend((stayed > 0).then(|| format!("{stayed} people did not get home in {GOING_HOME:?}")));
    wrong.extend(start_what_died(stack).await?);
    Ok(wrong)
}

/// Sometimes the next fault strikes in the recovery from the last one, sometimes all is well for a while.
fn pause(rng: &mut Rng) -> Duration {
    let recovering = rng.u32(..3) > 0;
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

/// No service ends because another one was broken.
async fn start_what_died(stack: &Stack) -> anyhow::Result<Vec<String>> {
    let mut died = Vec::new();
    for service in stack.services().filter(|service| service.pid().is_none()) {
        died.push(format!("{} ended by itself:\n{}", service.name(), service.recent_log()));
        service.start()?;
        service.ready().await?;
    }
    Ok(died)
}

impl Report {
    /// All of what people noted and the witness saw, one event a line.
    #[must_use]
    pub fn history_as_text(&self) -> String {
        let mut lines: Vec<(i64, String)> = self.entries.iter().map(|e| (e.at, format!("{} {e}", e.who))).collect();
        lines.extend(self.facts.iter().map(|fact| (fact.at, format!("MongoDB {} {:?}", fact.at, fact.what))));
        lines.sort_by_key(|(at, _)| *at);
        lines.into_iter().map(|(_, line)| line + "\n").collect()
    }

    /// How many messages were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.count(|event| matches!(event, Event::Acknowledged { .. }))
    }

    fn count(&self, which: impl Fn(&Event) -> bool) -> usize {
        self.entries.iter().filter(|entry| which(&entry.what)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.violations.iter().try_for_each(|violation| writeln!(formatter, "{violation}"))?;
        let mut faults: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| matches!(entry.what, Event::FaultBegan { .. })) {
            *faults.entry(&entry.who).or_default() += 1;
        }
        let rooms = self.facts.iter().filter(|fact| matches!(fact.what, Change::Opened { .. })).count();
        let faults: Vec<String> = faults.into_iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(formatter, "faults: {}", faults.join(", "))?;
        writeln!(formatter, "judged: {}", self.coverage)?;
        write!(
            formatter,
            "seed {}: {} violations; {rooms} rooms, {} messages acknowledged, {} refused, {} received, \
             {} connections, {} of them of old clients, {} lost by the server's side",
            self.seed,
            self.violations.len(),
            self.acknowledged(),
            self.count(|event| matches!(event, Event::Refused { .. })),
            self.count(|event| matches!(event, Event::Received { .. })),
            self.count(|event| matches!(event, Event::Connected { .. })),
            self.count(|event| matches!(event, Event::Connected { old: true, .. })),
            self.count(|event| matches!(event, Event::Lost { cut: false, .. })),
        )
    }
}
