//! The faults: each breaks something of a stack, puts it right again and says when. What is struck is decided by
//! a seed, so that a run can be repeated as far as the timing of real processes allows.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use fastrand::Rng;
use local::{Service, Stack};
use servers::process::Signal;
use tokio::time::{Instant, sleep};

use crate::history::{Event, History};

/// How long a paused process stands still.
pub const PAUSE: Duration = Duration::from_secs(10);
/// How long NATS may take to elect leaders before that is a failure of the run.
const ELECTION: Duration = Duration::from_secs(60);
/// How long a killed server stays away.
const AWAY: Duration = Duration::from_secs(3);

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL of a gateway.
    KillGateway,
    /// SIGTERM of a gateway, as in a deployment.
    DrainGateway,
    /// SIGKILL of the matcher that ticks.
    KillMatcher,
    /// SIGKILL of a chat-store.
    KillChatStore,
    /// SIGKILL of the NATS node that leads the stream of messages or of users.
    KillNats,
    /// SIGKILL of all NATS nodes at once.
    RestartNats,
    /// SIGKILL of the MongoDB primary.
    KillMongodb,
    /// The MongoDB primary gives up its place.
    StepDown,
    /// SIGSTOP of a gateway for 10 s.
    PauseGateway,
    /// SIGSTOP of the ticking matcher for 10 s.
    PauseMatcher,
    /// SIGSTOP of a chat-store for 10 s.
    PauseChatStore,
    /// SIGSTOP of a leading NATS node for 10 s.
    PauseNats,
    /// SIGSTOP of the MongoDB primary for 10 s.
    PauseMongodb,
    /// SIGTERM and a new start of every service, one after the other.
    RollingRestart,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::KillGateway,
        Self::DrainGateway,
        Self::KillMatcher,
        Self::KillChatStore,
        Self::KillNats,
        Self::RestartNats,
        Self::KillMongodb,
        Self::StepDown,
        Self::PauseGateway,
        Self::PauseMatcher,
        Self::PauseChatStore,
        Self::PauseNats,
        Self::PauseMongodb,
        Self::RollingRestart,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::KillGateway => "kill-gateway",
            Self::DrainGateway => "drain-gateway",
            Self::KillMatcher => "kill-matcher",
            Self::KillChatStore => "kill-chat-store",
            Self::KillNats => "kill-nats",
            Self::RestartNats => "restart-nats",
            Self::KillMongodb => "kill-mongodb",
            Self::StepDown => "step-down-mongodb",
            Self::PauseGateway => "pause-gateway",
            Self::PauseMatcher => "pause-matcher",
            Self::PauseChatStore => "pause-chat-store",
            Self::PauseNats => "pause-nats",
            Self::PauseMongodb => "pause-mongodb",
            Self::RollingRestart => "rolling-restart",
        }
    }

    /// The fault of this name.
    ///
    /// # Errors
    /// When there is none; with the names that there are.
    pub fn named(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|fault| fault.name() == name).ok_or_else(|| format!("one of: {}", known()))
    }

    /// Breaks it and puts it right again.
    ///
    /// # Errors
    /// When something does not come back.
    pub async fn strike(self, stack: &Stack, rng: &mut Rng, history: &History) -> anyhow::Result<()> {
        history.note(self.name(), Event::FaultBegan);
        let struck = self.break_and_mend(stack, rng).await;
        history.note(self.name(), Event::FaultOver);
        struck.context(self.name())
    }

    async fn break_and_mend(self, stack: &Stack, rng: &mut Rng) -> anyhow::Result<()> {
        match self {
            Self::KillGateway => kill(any(stack.gateways(), rng)).await,
            Self::DrainGateway => restart(any(stack.gateways(), rng)).await,
            Self::KillMatcher => kill(ticking(stack).await?.as_ref()).await,
            Self::KillChatStore => kill(any(stack.chat_stores(), rng)).await,
            Self::PauseGateway => pause(any(stack.gateways(), rng)).await,
            Self::PauseMatcher => pause(ticking(stack).await?.as_ref()).await,
            Self::PauseChatStore => pause(any(stack.chat_stores(), rng)).await,
            Self::KillNats => kill_nats(stack, rng).await,
            Self::PauseNats => pause_nats(stack, rng).await,
            Self::RestartNats => restart_nats(stack).await,
            Self::KillMongodb => kill_mongodb(stack).await,
            Self::PauseMongodb => pause_mongodb(stack).await,
            Self::StepDown => stack.mongo_set().context("MongoDB is no set")?.step_down().await,
            Self::RollingRestart => rolling_restart(stack).await,
        }
    }
}

fn any<'a>(services: &'a [Arc<Service>], rng: &mut Rng) -> &'a Arc<Service> {
    &services[rng.usize(..services.len())]
}

async fn kill(service: &Service) -> anyhow::Result<()> {
    service.kill().await;
    sleep(Duration::from_millis(500)).await;
    service.start()?;
    service.ready().await
}

async fn restart(service: &Service) -> anyhow::Result<()> {
    service.terminate().await;
    service.start()?;
    service.ready().await
}

async fn pause(service: &Service) -> anyhow::Result<()> {
    service.pause();
    sleep(PAUSE).await;
    service.resume();
    service.ready().await
}

/// The matcher that says that it ticks, as soon as there is one.
async fn ticking(stack: &Stack) -> anyhow::Result<Arc<Service>> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        for matcher in stack.matchers() {
            let metrics = reqwest::get(format!("{}/metrics", matcher.health_url())).await;
            let Ok(metrics) = metrics else { continue };
            if metrics.text().await?.lines().any(|line| line == "talk_ticking 1") {
                return Ok(matcher.clone());
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("no matcher ticks")
}

async fn leading_nats(stack: &Stack, rng: &mut Rng) -> anyhow::Result<Arc<servers::Nats>> {
    let stream = [proto::streams::MESSAGES, proto::streams::USERS][rng.usize(..2)];
    let cluster = stack.nats_cluster().context("NATS is no cluster")?;
    let deadline = Instant::now() + ELECTION;
    loop {
        match cluster.leader(stream).await {
            // Still electing, after the fault before this one.
            Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(200)).await,
            leader => return leader,
        }
    }
}

async fn kill_nats(stack: &Stack, rng: &mut Rng) -> anyhow::Result<()> {
    let leader = leading_nats(stack, rng).await?;
    leader.kill().await;
    sleep(AWAY).await;
    leader.restart().await
}

async fn pause_nats(stack: &Stack, rng: &mut Rng) -> anyhow::Result<()> {
    let leader = leading_nats(stack, rng).await?;
    leader.signal(Signal::SIGSTOP);
    sleep(PAUSE).await;
    leader.signal(Signal::SIGCONT);
    Ok(())
}

async fn restart_nats(stack: &Stack) -> anyhow::Result<()> {
    for nats in stack.nats() {
        nats.kill().await;
    }
    stack.nats_cluster().context("NATS is no cluster")?.restart().await
}

async fn kill_mongodb(stack: &Stack) -> anyhow::Result<()> {
    let set = stack.mongo_set().context("MongoDB is no set")?;
    let primary = set.primary().await?;
    primary.kill().await;
    set.primary().await?;
    primary.restart().await
}

async fn pause_mongodb(stack: &Stack) -> anyhow::Result<()> {
    let set = stack.mongo_set().context("MongoDB is no set")?;
    let primary = set.primary().await?;
    primary.signal(Signal::SIGSTOP);
    sleep(PAUSE).await;
    primary.signal(Signal::SIGCONT);
    set.primary().await.map(drop)
}

async fn rolling_restart(stack: &Stack) -> anyhow::Result<()> {
    for service in stack.services() {
        restart(service).await?;
    }
    Ok(())
}
