//! Breaks the servers: NATS and MongoDB, one of them or all.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use fastrand::Rng;
use local::Stack;
use servers::process::Signal;
use tokio::time::{Instant, sleep};

/// How long NATS may take to elect leaders before that is a failure of the run.
const ELECTION: Duration = Duration::from_secs(60);
/// How long a killed server stays down.
const DOWN: Duration = Duration::from_secs(3);
/// How long all of NATS or of MongoDB is down in an outage.
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

pub(crate) async fn kill_nats(node: &servers::Nats) -> anyhow::Result<()> {
    node.kill().await;
    sleep(DOWN).await;
    node.restart().await
}

pub(crate) async fn pause_nats(node: &servers::Nats, time: Duration) -> anyhow::Result<()> {
    node.signal(Signal::SIGSTOP);
    sleep(time).await;
    node.signal(Signal::SIGCONT);
    Ok(())
}

/// All of NATS, killed at once.
pub(crate) async fn nats_outage(stack: &Stack, time: Duration) -> anyhow::Result<()> {
    for nats in stack.nats() {
        nats.kill().await;
    }
    sleep(time).await;
    stack.nats_cluster().context("NATS is no cluster")?.restart().await
}

/// All of MongoDB, killed at once.
pub(crate) async fn mongodb_outage(stack: &Stack) -> anyhow::Result<()> {
    for mongo in stack.mongo() {
        mongo.kill().await;
    }
    sleep(OUTAGE).await;
    let starting = stack.mongo().iter().map(|mongo| mongo.restart());
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

pub(crate) async fn pause_mongodb(stack: &Stack, time: Duration) -> anyhow::Result<()> {
    let set = stack.mongo_set().context("MongoDB is no set")?;
    let primary = set.primary().await?;
    primary.signal(Signal::SIGSTOP);
    sleep(time).await;
    primary.signal(Signal::SIGCONT);
    set.primary().await.map(drop)
}

pub(crate) async fn step_down(stack: &Stack) -> anyhow::Result<()> {
    stack.mongo_set().context("MongoDB is no set")?.step_down().await
}
