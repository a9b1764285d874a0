//! Starts and ends each fault, and records it. What is struck is decided by the seed, so that a run can be repeated as
//! far as the timing of real processes allows.

use std::time::Duration;

use anyhow::Context;
use tokio::time::sleep;

use super::{
    Fault, SUSPENDABLE, aim,
    scene::Scene,
    servers::{
        OUTAGE, kill_mongodb, kill_nats, leading_nats, mongodb_outage, nats_outage, pause_mongodb, pause_nats,
        step_down,
    },
    services::{LEADER, PARTITIONS, busiest, kill, pause, restart},
};

/// How long a paused process stands still, and how long in the longer variant.
const PAUSE: Duration = Duration::from_secs(10);
const LONG_PAUSE: Duration = Duration::from_secs(14);
/// For how many seconds the bus of one gateway is suspended.
const SUSPENDED: std::ops::Range<u64> = 3_000..12_000;
/// Another gateway than the one whose bus can be suspended.
const OTHER: usize = 1;
/// How many users open two tabs while a bus is suspended.
const TWO_TABS: u32 = 4;
/// How often a matcher is killed until that was in the middle of a match round, and the pause in between.
const AIMED: u32 = 4;
const BETWEEN: Duration = Duration::from_secs(3);

impl Fault {
    /// Breaks it and puts it right again.
    ///
    /// # Errors
    /// When something does not come back.
    pub(crate) async fn strike(self, scene: &mut Scene<'_>) -> anyhow::Result<()> {
        let done = match self {
            Self::KillGateway | Self::DrainGateway | Self::PauseGateway | Self::PauseGatewayLong => {
                self.strike_gateway(scene).await
            }
            Self::SuspendBus => self.suspend_bus(scene).await,
            Self::KillMatcher => self.kill_matcher(scene).await,
            Self::KillChatStore => self.kill_chat_store(scene).await,
            Self::PauseMatcher => {
                let leader = busiest(scene.stack.matchers(), LEADER).await?;
                scene.broken(self, leader.name(), pause(&leader, PAUSE)).await
            }
            Self::PauseChatStore => {
                let service = busiest(scene.stack.chat_stores(), PARTITIONS).await?;
                scene.broken(self, service.name(), pause(&service, PAUSE)).await
            }
            Self::RollingRestart => self.restart_all(scene).await,
            Self::KillNats | Self::PauseNats | Self::RestartNats | Self::OutageNats => self.strike_nats(scene).await,
            Self::KillMongodb | Self::PauseMongodb | Self::OutageMongodb | Self::StepDown => {
                self.strike_mongodb(scene).await
            }
        };
        done.context(self.name())
    }

    async fn strike_gateway(self, scene: &mut Scene<'_>) -> anyhow::Result<()> {
        let service = scene.any(scene.stack.gateways());
        match self {
            Self::KillGateway => scene.broken(self, service.name(), kill(service)).await,
            Self::DrainGateway => scene.broken(self, service.name(), restart(service)).await,
            Self::PauseGatewayLong => scene.broken(self, service.name(), pause(service, LONG_PAUSE)).await,
            _ => scene.broken(self, service.name(), pause(service, PAUSE)).await,
        }
    }

    /// Users open a tab on the gateway whose bus hangs, which cannot claim them for now, and then one elsewhere.
    async fn suspend_bus(self, scene: &mut Scene<'_>) -> anyhow::Result<()> {
        let suspended = Duration::from_millis(scene.rng.u64(SUSPENDED));
        let gateway = &scene.stack.gateways()[SUSPENDABLE];
        scene.traffic.add_two_tabs(TWO_TABS, SUSPENDABLE, OTHER);
        let work = async {
            scene.bus_proxy.suspend();
            sleep(suspended).await;
            scene.bus_proxy.resume();
            gateway.ready().await
        };
        scene.broken(self, gateway.name(), work).await
    }

    async fn restart_all(self, scene: &Scene<'_>) -> anyhow::Result<()> {
        for service in scene.stack.services() {
            scene.broken(self, service.name(), restart(service)).await?;
        }
        Ok(())
    }

    async fn strike_nats(self, scene: &mut Scene<'_>) -> anyhow::Result<()> {
        let stack = scene.stack;
        match self {
            Self::RestartNats => scene.broken(self, "nats", nats_outage(stack, Duration::ZERO)).await,
            Self::OutageNats => scene.broken(self, "nats", nats_outage(stack, OUTAGE)).await,
            Self::PauseNats => {
                let leader = leading_nats(stack, scene.rng).await?;
                scene.broken(self, "nats", pause_nats(&leader, PAUSE)).await
            }
            _ => {
                let leader = leading_nats(stack, scene.rng).await?;
                scene.broken(self, "nats", kill_nats(&leader)).await
            }
        }
    }

    async fn strike_mongodb(self, scene: &Scene<'_>) -> anyhow::Result<()> {
        let stack = scene.stack;
        match self {
            Self::KillMongodb => scene.broken(self, "mongodb", kill_mongodb(stack)).await,
            Self::PauseMongodb => scene.broken(self, "mongodb", pause_mongodb(stack, PAUSE)).await,
            Self::OutageMongodb => scene.broken(self, "mongodb", mongodb_outage(stack)).await,
            _ => scene.broken(self, "mongodb", step_down(stack)).await,
        }
    }

    /// In the middle of a match round: a crowd queues at once, and the first room in MongoDB is the signal. Again when
    /// the round was faster, so that all of its rooms had been announced.
    async fn kill_matcher(self, scene: &mut Scene<'_>) -> anyhow::Result<()> {
        for _ in 0..AIMED {
            let leader = busiest(scene.stack.matchers(), LEADER).await?;
            aim::at_a_match_round(scene).await;
            let struck = proto::bus::now_ms();
            scene.broken(self, leader.name(), kill(&leader)).await?;
            if aim::hit_a_match_round(&scene.witness.facts(), struck) {
                return Ok(());
            }
            sleep(BETWEEN).await;
        }
        Ok(())
    }

    /// With messages in flight: everybody sends at once, and some of it is under way.
    async fn kill_chat_store(self, scene: &mut Scene<'_>) -> anyhow::Result<()> {
        let service = busiest(scene.stack.chat_stores(), PARTITIONS).await?;
        aim::at_messages_in_flight(scene).await;
        scene.broken(self, service.name(), kill(&service)).await
    }
}
