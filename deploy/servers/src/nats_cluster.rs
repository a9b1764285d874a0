//! A NATS JetStream cluster of several nodes on this machine. Each node can be killed, suspended and started again.

use std::{ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use async_nats::jetstream;
use tokio::{task::JoinSet, time::timeout};

use crate::{Access, Nats, NatsOptions, free_port};

/// How long JetStream may take to reply with the leader of a stream.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running cluster; its nodes are killed when dropped.
#[derive(Debug)]
pub struct NatsCluster {
    nodes: Vec<Arc<Nats>>,
}

impl NatsCluster {
    /// Starts this many nodes concurrently and waits until JetStream responds on each.
    ///
    /// # Errors
    /// When one of them does not start.
    pub async fn start(nodes: usize) -> anyhow::Result<Self> {
        Self::start_with(nodes, None, None, None).await
    }

    /// The same with a given executable, a folder for the data, which is kept, and users.
    ///
    /// # Errors
    /// As [`NatsCluster::start`].
    pub async fn start_with(
        nodes: usize,
        executable: Option<PathBuf>,
        data: Option<PathBuf>,
        access: Option<Access>,
    ) -> anyhow::Result<Self> {
        let ports = (0..nodes).map(|_| free_port()).collect::<anyhow::Result<Vec<_>>>()?;
        let routes: Vec<String> = ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let routes = routes.join(",");
        let mut starting = JoinSet::new();
        for (number, port) in (1..).zip(&ports) {
            let data = data.as_ref().map(|data| data.join(name(number)));
            let args = arguments(number, *port, &routes);
            let options =
                NatsOptions { executable: executable.clone(), data, port: None, args, access: access.clone() };
            starting.spawn(async move { (number, Nats::start(options).await) });
        }
        let mut started = starting.join_all().await;
        started.sort_by_key(|(number, _)| *number);
        let nodes = started.into_iter().map(|(_, node)| node.map(Arc::new)).collect::<anyhow::Result<_>>()?;
        Ok(Self { nodes })
    }

    /// The nodes; the name of the first is `nats-1`.
    #[must_use]
    pub fn nodes(&self) -> &[Arc<Nats>] {
        &self.nodes
    }

    /// The address for clients: all nodes, separated by commas.
    #[must_use]
    pub fn url(&self) -> String {
        self.nodes.iter().map(|node| node.url()).collect::<Vec<_>>().join(",")
    }

    /// The node that leads a stream, according to JetStream.
    ///
    /// # Errors
    /// When JetStream does not reply, or the stream has no leader now.
    pub async fn leader(&self, stream: &str) -> anyhow::Result<Arc<Nats>> {
        timeout(PATIENCE, self.request_leader(stream)).await.context("JetStream does not reply")?
    }

    async fn request_leader(&self, stream: &str) -> anyhow::Result<Arc<Nats>> {
        let addresses: Vec<String> = self.nodes.iter().map(|node| node.url()).collect();
        let first = self.nodes.first().context("a cluster has nodes")?;
        let client = first.options_of("operator").connect(addresses).await?;
        let stream = jetstream::new(client).get_stream(stream).await?;
        let leader = stream.cached_info().cluster.as_ref().and_then(|cluster| cluster.leader.clone());
        let leader = leader.context("the stream has no leader now")?;
        for (number, node) in (1..).zip(&self.nodes) {
            if name(number) == leader {
                return Ok(node.clone());
            }
        }
        bail!("the leader {leader} is none of the nodes")
    }

    /// Starts all nodes again that do not run, concurrently, and waits until JetStream responds on each.
    ///
    /// # Errors
    /// When one of them does not start.
    pub async fn restart(&self) -> anyhow::Result<()> {
        let mut starting = JoinSet::new();
        for node in &self.nodes {
            let node = node.clone();
            starting.spawn(async move { node.restart().await });
        }
        starting.join_all().await.into_iter().collect()
    }
}

fn name(number: usize) -> String {
    format!("nats-{number}")
}

fn arguments(number: usize, port: u16, routes: &str) -> Vec<OsString> {
    let cluster = format!("nats://127.0.0.1:{port}");
    let pairs = [("--name", name(number)), ("--cluster_name", "talk".into()), ("--cluster", cluster)];
    let mut arguments: Vec<OsString> =
        pairs.into_iter().flat_map(|(flag, value)| [flag.into(), value.into()]).collect();
    // Clients have the addresses of all nodes, and keep to them: there may be a proxy in between.
    arguments.extend(["--routes".into(), routes.into(), "--no_advertise".into()]);
    arguments
}
