//! Breaks one service: killed, drained, paused.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use local::Service;
use tokio::time::{sleep, timeout};

/// The gauge of a leading matcher, and of a chat-store that has partitions.
pub(crate) const LEADER: &str = "talk_matcher_leader ";
pub(crate) const PARTITIONS: &str = "talk_active_partitions ";
/// How long a killed service is down.
const DOWN: Duration = Duration::from_millis(500);
/// How soon a service replies with its metrics.
const REPLY: Duration = Duration::from_secs(2);
/// How often the gauges are read until one is not 0, and for how long.
const POLL: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn kill(service: &Service) -> anyhow::Result<()> {
    service.kill().await;
    sleep(DOWN).await;
    service.start()?;
    service.ready().await
}

pub(crate) async fn restart(service: &Service) -> anyhow::Result<()> {
    service.terminate().await;
    service.start()?;
    service.ready().await
}

pub(crate) async fn pause(service: &Service, time: Duration) -> anyhow::Result<()> {
    service.pause();
    sleep(time).await;
    service.resume();
    service.ready().await
}

/// The service whose gauge is the greatest, as soon as one is not 0.
pub(crate) async fn busiest(services: &[Arc<Service>], gauge: &str) -> anyhow::Result<Arc<Service>> {
    let reading = async {
        loop {
            let mut most = (0.0, None);
            for service in services {
                let work = read_metric(service, gauge).await.unwrap_or(0.0);
                if work > most.0 {
                    most = (work, Some(service.clone()));
                }
            }
            if let Some(service) = most.1 {
                return service;
            }
            sleep(POLL).await;
        }
    };
    timeout(PATIENCE, reading).await.with_context(|| format!("{gauge}is 0 everywhere"))
}

/// A metric of a service, by its name without labels and a space.
pub(crate) async fn read_metric(service: &Service, name: &str) -> Option<f64> {
    let reply = timeout(REPLY, reqwest::get(format!("{}/metrics", service.health_url()))).await.ok()?.ok()?;
    let metrics = timeout(REPLY, reply.text()).await.ok()?.ok()?;
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}
