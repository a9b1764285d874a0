//! Starts the services of a stack concurrently. They wait for one another, so that the first that fails is the reason
//! why others are not ready.

use std::{fmt::Write, sync::Arc};

use anyhow::bail;
use tokio::task::JoinSet;

use crate::{progress::Progress, service::Service};

/// How many lines are shown of a service that is not ready while another one has failed.
const LAST_LINES: usize = 5;

/// Starts all and waits until all are ready, at most 60 s. `progress` receives a line for each that is.
///
/// # Errors
/// When one exits or is late: its name, the end of its log, and which others are not ready.
pub(crate) async fn start_all(services: Vec<Arc<Service>>, progress: &Progress) -> anyhow::Result<()> {
    services.iter().try_for_each(|service| service.start())?;
    let mut starting = JoinSet::new();
    for service in services.iter().cloned() {
        starting.spawn(async move { (service.ready().await, service) });
    }
    while let Some(started) = starting.join_next().await {
        let (ready, service) = started?;
        if let Err(error) = ready {
            let others = services.iter().filter(|other| !Arc::ptr_eq(other, &service));
            bail!("{error:#}{}", not_ready(others).await);
        }
        progress.line(&format!("{} ready", service.name()));
    }
    Ok(())
}

/// The last lines of those that are not ready.
async fn not_ready(services: impl Iterator<Item = &Arc<Service>>) -> String {
    let mut text = String::new();
    for service in services {
        if !service.is_ready().await {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n── {} is not ready either\n{}", service.name(), last_lines(&service.recent_log()));
        }
    }
    text
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}
