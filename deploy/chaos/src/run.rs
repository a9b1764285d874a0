//! One run: start, traffic, faults, everybody home, check.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use fastrand::Rng;
use local::{Database, Stack, StackOptions};
use tokio::time::{Instant, sleep};

use crate::{
    checker::{Violation, check},
    faults::Fault,
    history::{Entry, Event, History},
    leftovers::{self, Sweeps},
    people::People,
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
    /// Which faults, in this order again and again; none for all of them, shuffled.
    pub faults: Vec<Fault>,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// Broken promises.
    pub violations: Vec<Violation>,
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
    let history = History::default();
    let mut left = break_under_traffic(&plan, &stack, &history, &say).await?;
    say("everybody goes home");
    left.extend(leftovers::wait_for_nothing(&stack, REMOVED).await);
    left.extend(sweeps.heard());
    // The change stream is a little behind.
    sleep(Duration::from_secs(2)).await;
    let (entries, facts) = (history.entries(), witness.facts());
    let violations = check(&entries, &facts, &left);
    if !violations.is_empty() {
        say(&stack.recent_logs());
    }
    stack.stop().await?;
    Ok(Report { violations, seed: plan.seed, entries, facts })
}

/// Answers what is wrong already.
async fn break_under_traffic(
    plan: &Plan,
    stack: &Stack,
    history: &History,
    say: &impl Fn(&str),
) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut rng = Rng::with_seed(plan.seed);
    let people = People::arrive(stack.gateway_urls(), history, plan.people, plan.seed);
    sleep(plan.calm).await;
    let deadline = Instant::now() + plan.time;
    let mut next = Vec::new();
    while Instant::now() < deadline {
        let fault = match next.pop() {
            Some(fault) => fault,
            None => {
                next = in_some_order(&plan.faults, &mut rng);
                continue;
            }
        };
        say(fault.name());
        fault.strike(stack, &mut rng, history).await?;
        wrong.extend(start_what_died(stack).await?);
        sleep(Duration::from_millis(rng.u64(500..8_000))).await;
    }
    sleep(plan.calm).await;
    people.go_home(GOING_HOME).await;
    Ok(wrong)
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
        for entry in self.entries.iter().filter(|entry| entry.what == Event::FaultBegan) {
            *faults.entry(&entry.who).or_default() += 1;
        }
        let rooms = self.facts.iter().filter(|fact| matches!(fact.what, Change::Opened { .. })).count();
        let faults: Vec<String> = faults.into_iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(formatter, "faults: {}", faults.join(", "))?;
        write!(
            formatter,
            "seed {}: {} violations; {rooms} rooms, {} messages acknowledged, {} refused, {} received, \
             {} connections, {} lost by the server's side",
            self.seed,
            self.violations.len(),
            self.acknowledged(),
            self.count(|event| matches!(event, Event::Refused { .. })),
            self.count(|event| matches!(event, Event::Received { .. })),
            self.count(|event| matches!(event, Event::Connected { .. })),
            self.count(|event| matches!(event, Event::Lost { cut: false, .. })),
        )
    }
}
