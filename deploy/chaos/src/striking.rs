//! The faults: each breaks something of a stack, puts it right again and says when. What is struck is decided by
//! a seed, so that a run can be repeated as far as the timing of real processes allows; `aim` finds the moment,
//! `outages` breaks servers.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use fastrand::Rng;
use local::{Service, Stack};
use servers::process::Signal;
use tokio::time::{sleep, timeout};

use crate::{
    aim,
    faults::Fault,
    history::{Event, History},
    outages::{OUTAGE, kill_mongodb, leading_nats, mongodb_is_away, nats_is_away, pause_mongodb},
    people::People,
    witness::Witness,
};

/// How long a paused process stands still.
pub(crate) const PAUSE: Duration = Duration::from_secs(10);
/// How long a killed server stays away.
const AWAY: Duration = Duration::from_secs(3);
/// What says that a matcher ticks, and that a chat-store has partitions.
const TICKING: &str = "talk_matcher_leader ";
const STORING: &str = "talk_active_partitions ";
/// How soon a service answers what it counts.
const ANSWER: Duration = Duration::from_secs(2);
/// How often a matcher is killed until that was in the middle of a tick.
const AIMED: u32 = 4;

impl Fault {
    /// Breaks it and puts it right again.
    ///
    /// # Errors
    /// When something does not come back.
    pub(crate) async fn strike(self, scene: &mut Scene<'_>) -> anyhow::Result<()> {
        self.break_and_mend(scene).await.context(self.name())
    }

    async fn break_and_mend(self, scene: &mut Scene<'_>) -> anyhow::Result<()> {
        let stack = scene.stack;
        match self {
            Self::KillGateway => {
                let service = scene.any(stack.gateways());
                self.kill(scene, service).await
            }
            Self::DrainGateway => {
                let service = scene.any(stack.gateways());
                self.restart(scene, service).await
            }
            Self::KillMatcher => self.kill_matcher(scene).await,
            Self::KillChatStore => self.kill_chat_store(scene).await,
            Self::PauseGateway => {
                let service = scene.any(stack.gateways());
                self.pause(scene, service).await
            }
            Self::PauseMatcher => self.pause(scene, at_work(stack.matchers(), TICKING).await?.as_ref()).await,
            Self::PauseChatStore => self.pause(scene, at_work(stack.chat_stores(), STORING).await?.as_ref()).await,
            Self::RollingRestart => {
                for service in stack.services() {
                    self.restart(scene, service).await?;
                }
                Ok(())
            }
            Self::KillNats | Self::PauseNats => {
                let leader = leading_nats(stack, scene.rng).await?;
                self.broken(scene, "nats", self.strike_nats(&leader)).await
            }
            Self::RestartNats => self.broken(scene, "nats", nats_is_away(stack, Duration::ZERO)).await,
            Self::OutageNats => self.broken(scene, "nats", nats_is_away(stack, OUTAGE)).await,
            Self::KillMongodb => self.broken(scene, "mongodb", kill_mongodb(stack)).await,
            Self::PauseMongodb => self.broken(scene, "mongodb", pause_mongodb(stack)).await,
            Self::OutageMongodb => self.broken(scene, "mongodb", mongodb_is_away(stack)).await,
            Self::StepDown => {
                let set = stack.mongo_set().context("MongoDB is no set")?;
                self.broken(scene, "mongodb", set.step_down()).await
            }
        }
    }

    /// Notes that a part is broken from now on, until the work is done.
    async fn broken<T>(
        self,
        scene: &Scene<'_>,
        target: &str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        scene.history.note(self.name(), Event::FaultBegan { target: target.to_owned() });
        let done = work.await;
        scene.history.note(self.name(), Event::FaultOver);
        done
    }

    async fn kill(self, scene: &Scene<'_>, service: &Service) -> anyhow::Result<()> {
        let work = async {
            service.kill().await;
            sleep(Duration::from_millis(500)).await;
            service.start()?;
            service.ready().await
        };
        self.broken(scene, service.name(), work).await
    }

    async fn restart(self, scene: &Scene<'_>, service: &Service) -> anyhow::Result<()> {
        let work = async {
            service.terminate().await;
            service.start()?;
            service.ready().await
        };
        self.broken(scene, service.name(), work).await
    }

    async fn pause(self, scene: &Scene<'_>, service: &Service) -> anyhow::Result<()> {
        let work = async {
            service.pause();
            sleep(PAUSE).await;
            service.resume();
            service.ready().await
        };
        self.broken(scene, service.name(), work).await
    }

    /// In the middle of a tick: a crowd queues at once, and the first room that MongoDB has is the signal. Again when
    /// the tick was faster, so that all of its rooms had been announced.
    async fn kill_matcher(self, scene: &mut Scene<'_>) -> anyhow::Result<()> {
        for _ in 0..AIMED {
            let ticking = at_work(scene.stack.matchers(), TICKING).await?;
            aim::at_a_tick(scene).await;
            let struck = proto::bus::now_ms();
            self.kill(scene, &ticking).await?;
            if aim::hit_a_tick(&scene.witness.facts(), struck) {
                return Ok(());
            }
            sleep(AWAY).await;
        }
        Ok(())
    }

    /// With messages in flight: everybody speaks at once, and some of it is under way.
    async fn kill_chat_store(self, scene: &mut Scene<'_>) -> anyhow::Result<()> {
        let service = at_work(scene.stack.chat_stores(), STORING).await?;
        aim::at_messages_in_flight(scene).await;
        self.kill(scene, &service).await
    }

    async fn strike_nats(self, leader: &servers::Nats) -> anyhow::Result<()> {
        if self == Self::PauseNats {
            leader.signal(Signal::SIGSTOP);
            sleep(PAUSE).await;
            leader.signal(Signal::SIGCONT);
            return Ok(());
        }
        leader.kill().await;
        sleep(AWAY).await;
        leader.restart().await
    }
}

/// What a fault strikes.
pub(crate) struct Scene<'a> {
    /// The system.
    pub(crate) stack: &'a Stack,
    /// Decides which of several.
    pub(crate) rng: &'a mut Rng,
    /// Where it is noted.
    pub(crate) history: &'a History,
    /// Who sees the moment.
    pub(crate) witness: &'a Witness,
    /// Who makes it.
    pub(crate) people: &'a mut People,
}

impl<'a> Scene<'a> {
    fn any(&mut self, services: &'a [Arc<Service>]) -> &'a Service {
        &services[self.rng.usize(..services.len())]
    }
}

/// The one that says that it has work, the most of them all, as soon as there is one.
async fn at_work(services: &[Arc<Service>], gauge: &str) -> anyhow::Result<Arc<Service>> {
    let asking = async {
        loop {
            let mut most = (0.0, None);
            for service in services {
                let work = of_gauge(service, gauge).await.unwrap_or(0.0);
                if work > most.0 {
                    most = (work, Some(service.clone()));
                }
            }
            if let Some(service) = most.1 {
                return service;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(20), asking).await.with_context(|| format!("{gauge} is 0 everywhere"))
}

async fn of_gauge(service: &Service, gauge: &str) -> Option<f64> {
    let answer = timeout(ANSWER, reqwest::get(format!("{}/metrics", service.health_url()))).await.ok()?.ok()?;
    let metrics = answer.text().await.ok()?;
    metrics.lines().find_map(|line| line.strip_prefix(gauge)?.trim().parse().ok())
}
