//! Breaks the servers: NATS and MongoDB, one of them or all. `striking` says when.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use fastrand::Rng;
use local::Stack;
use servers::process::Signal;
use tokio::time::{Instant, sleep};

use crate::striking::PAUSE;

/// How long NATS may take to elect leaders before that is a failure of the run.
const ELECTION: Duration = Duration::from_secs(60);
/// How long all of NATS or of MongoDB is away in an outage.
pub(crate) const OUTAGE: Duration = Duration::from_secs(30);

/// The node that leads one of the two streams.
pub(crate) async fn leading_nats(stack: &Stack, rng: &mut Rng) -> anyhow::Result<Arc<servers::Nats>> {
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

/// All of NATS, killed at once.
pub(crate) async fn nats_is_away(stack: &Stack, time: Duration) -> anyhow::Result<()> {
    for nats in stack.nats() {
        nats.kill().await;
    }
    sleep(time).await;
    stack.nats_cluster().context("NATS is no cluster")?.restart().await
}

/// All of MongoDB, killed at once.
pub(crate) async fn mongodb_is_away(stack: &Stack) -> anyhow::Result<()> {
    for mongo in stack.mongo() {
        mongo.kill().await;
    }
    sleep(OUTAGE).await;
    let mut starting: Vec<_> = Vec::new();
    for mongo in stack.mongo() {
        starting.push(mongo.restart());
    }
    futures_util::future::try_join_all(starting).await?;
    stack.mongo_set().context("MongoDB is no set")?.primary().await.map(drop)
}

pub(crate) async fn kill_mongodb(stack: &Stack) -> anyhow::Result<()> {
    let set = stack.mongo_set().context("MongoDB is no set")?;
    let primary = set.primary().await?;
    primary.kill().await;
    set.primary().await?;
    primary.restart().await
}

pub(crate) async fn pause_mongodb(stack: &Stack) -> anyhow::Result<()> {
    let set = stack.mongo_set().context("MongoDB is no set")?;
    let primary = set.primary().await?;
    primary.signal(Signal::SIGSTOP);
    sleep(PAUSE).await;
    primary.signal(Signal::SIGCONT);
    set.primary().await.map(drop)
}
