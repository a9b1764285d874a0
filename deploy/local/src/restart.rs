//! Restarts processes that exited, with a delay that doubles each time, until a process has run for a while.

use std::{fmt, process::ExitStatus, sync::Arc, time::Duration};

use servers::{Mongo, Nats};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{progress::Progress, service::Service};

const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(8);
/// After this time without an exit, the next delay is [`FIRST_DELAY`] again.
const HEALTHY: Duration = Duration::from_secs(30);

/// A process that can be restarted.
pub(crate) enum Part {
    Service(Arc<Service>),
    Nats(Arc<Nats>),
    Mongo(Arc<Mongo>),
}

impl Part {
    async fn exited(&self) -> ExitStatus {
        match self {
            Self::Service(service) => service.exited().await,
            Self::Nats(nats) => nats.exited().await,
            Self::Mongo(mongo) => mongo.exited().await,
        }
    }

    async fn start(&self) -> anyhow::Result<()> {
        match self {
            Self::Service(service) => service.start(),
            Self::Nats(nats) => nats.restart().await,
            Self::Mongo(mongo) => mongo.restart().await,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(service) => formatter.write_str(service.name()),
            Self::Nats(_) => formatter.write_str("nats"),
            Self::Mongo(_) => formatter.write_str("mongodb"),
        }
    }
}

/// Watches the process until `stop`; each exit and each restart is a line in the sink.
pub(crate) async fn restart_on_exit(part: Part, progress: Progress, stop: CancellationToken) {
    let mut delay = FIRST_DELAY;
    loop {
        let started = Instant::now();
        let Some(status) = stop.run_until_cancelled(part.exited()).await else { return };
        if started.elapsed() >= HEALTHY {
            delay = FIRST_DELAY;
        }
        progress.line(&format!("{part} exited ({status}), restart in {delay:?}"));
        if stop.run_until_cancelled(sleep(delay)).await.is_none() {
            return;
        }
        delay = (delay * 2).min(LONGEST_DELAY);
        let Some(started) = stop.run_until_cancelled(part.start()).await else { return };
        match started {
            Ok(()) => progress.line(&format!("{part} restarted")),
            Err(error) => progress.line(&format!("{part} restart failed: {error:#}")),
        }
    }
}
