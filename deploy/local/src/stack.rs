//! The whole system: backing servers, services, and the order in which they start and stop.

use std::sync::Arc;

use anyhow::ensure;
use async_nats::ConnectOptions;
use servers::{Access, Mongo, MongoSet, Nats, NatsCluster, process::Signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    backing::{Backing, OwnMongo, OwnNats},
    data::{Data, random_key},
    environment::{env, gateway_ports, make_service},
    options::StackOptions,
    progress::Progress,
    restart::{Part, restart_on_exit},
    service::{Kind, Service},
    startup::start_all,
};

/// The NATS user for operators.
const OPERATOR: &str = "operator";

/// A running system. Everything that it started is killed when it is dropped; [`Stack::stop`] drains first.
#[derive(Debug)]
pub struct Stack {
    gateways: Vec<Arc<Service>>,
    matchers: Vec<Arc<Service>>,
    chat_stores: Vec<Arc<Service>>,
    gateway_urls: Vec<String>,
    backing: Backing,
    watchers: JoinSet<()>,
    stopping: CancellationToken,
    _data: Option<Data>,
}

impl Stack {
    /// Starts everything and waits until every service is ready. Fails as soon as one exits or is late, with
    /// the end of its log and the last lines of the other services that are not ready; nothing is left running then.
    pub async fn start(options: StackOptions) -> anyhow::Result<Self> {
        let data = options.data.clone().map(Data::open).transpose()?;
        let key = data.as_ref().map_or_else(|| Ok(random_key()), Data::secret_key)?;
        let ports = gateway_ports(&options)?;
        let progress = Progress::new(options.sink.clone());
        let backing = Backing::start(&options, data.as_ref(), &progress).await?;
        let many = |kind, count| -> anyhow::Result<Vec<_>> {
            (1..=count).map(|number| make_service(kind, number, &options, &backing, vec![])).collect()
        };
        let gateways = ports.iter().zip(1..).map(|(port, number)| {
            let address = format!("127.0.0.1:{port}");
            let env = vec![env("GATEWAY_ADDR", address), env("SECRET_KEY", key.clone())];
            make_service(Kind::Gateway, number, &options, &backing, env)
        });
        let stack = Self {
            gateways: gateways.collect::<anyhow::Result<_>>()?,
            matchers: many(Kind::Matcher, options.matchers)?,
            chat_stores: many(Kind::ChatStore, options.chat_stores)?,
            gateway_urls: ports.iter().map(|port| format!("http://127.0.0.1:{port}")).collect(),
            backing,
            watchers: JoinSet::new(),
            stopping: CancellationToken::new(),
            _data: data,
        };
        stack.start_services(options.restart, &progress).await
    }

    async fn start_services(mut self, restart: bool, progress: &Progress) -> anyhow::Result<Self> {
        progress.line("starting the services");
        start_all(self.services().cloned().collect(), progress).await?;
        if restart {
            self.restart_what_exits(progress);
        }
        Ok(self)
    }

    /// The gateways, `gateway-1` first.
    pub fn gateways(&self) -> &[Arc<Service>] {
        &self.gateways
    }

    /// The matchers, `matcher-1` first.
    pub fn matchers(&self) -> &[Arc<Service>] {
        &self.matchers
    }

    /// The chat-stores, `chat-store-1` first.
    pub fn chat_stores(&self) -> &[Arc<Service>] {
        &self.chat_stores
    }

    /// All services, gateways first.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.gateways.iter().chain(&self.matchers).chain(&self.chat_stores)
    }

    /// The public URL of each gateway, without a slash at the end.
    pub fn gateway_urls(&self) -> &[String] {
        &self.gateway_urls
    }

    /// The address of NATS.
    pub fn nats_url(&self) -> &str {
        &self.backing.nats_url
    }

    /// The address of NATS with the operator's credentials, if the stack is secured.
    pub fn operators_nats_url(&self) -> String {
        self.access().map_or_else(|| self.nats_url().to_owned(), |access| access.nats_url(self.nats_url(), OPERATOR))
    }

    /// The connect options of an operator.
    pub fn operators_nats_options(&self) -> ConnectOptions {
        self.access().map_or_else(ConnectOptions::new, |access| access.nats_options(OPERATOR))
    }

    /// The users and passwords of a secured stack.
    pub fn access(&self) -> Option<&Access> {
        self.backing.access.as_ref()
    }

    /// The address of MongoDB, with the administrator's credentials if the stack is secured.
    pub fn mongodb_uri(&self) -> &str {
        &self.backing.mongodb_uri
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        &self.backing.database
    }

    /// The nats-servers that the stack started, `nats-1` first.
    pub fn nats(&self) -> &[Arc<Nats>] {
        self.backing.nats()
    }

    /// The mongods that the stack started.
    pub fn mongo(&self) -> &[Arc<Mongo>] {
        self.backing.mongo()
    }

    /// The NATS cluster that the stack started, if it has several nodes.
    pub fn nats_cluster(&self) -> Option<&NatsCluster> {
        match &self.backing.nats {
            OwnNats::Cluster(cluster) => Some(cluster),
            OwnNats::None | OwnNats::One(_) => None,
        }
    }

    /// The MongoDB replica set that the stack started, if it has several members.
    pub fn mongo_set(&self) -> Option<&MongoSet> {
        match &self.backing.mongo {
            OwnMongo::Set(set) => Some(set),
            OwnMongo::None | OwnMongo::One(_) => None,
        }
    }

    /// The last lines of all services, for the message of a test that failed.
    pub fn recent_logs(&self) -> String {
        self.services().map(|service| format!("── {}\n{}\n", service.name(), service.recent_log())).collect()
    }

    /// Drains the gateways, then the other services, then stops the servers. Fails when a service had to be
    /// killed or exited with an error; no process is left then either.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stopping.cancel();
        while self.watchers.join_next().await.is_some() {}
        let mut unclean = drain(self.gateways.iter()).await;
        unclean.extend(drain(self.matchers.iter().chain(&self.chat_stores)).await);
        self.backing.stop().await;
        ensure!(unclean.is_empty(), "not everything stopped cleanly: {}", unclean.join(", "));
        Ok(())
    }

    fn restart_what_exits(&mut self, progress: &Progress) {
        let services = self.services().cloned().map(Part::Service);
        let nats = self.backing.nats().iter().cloned().map(Part::Nats);
        let mongo = self.backing.mongo().iter().cloned().map(Part::Mongo);
        for part in services.chain(nats).chain(mongo).collect::<Vec<_>>() {
            self.watchers.spawn(restart_on_exit(part, progress.clone(), self.stopping.clone()));
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.stopping.cancel();
        // The watchers own a reference to each process until they are scheduled again, so that it is not dropped here.
        self.services().for_each(|service| service.signal(Signal::SIGKILL));
        self.backing.kill_now();
    }
}

/// Terminates all concurrently; returns those that exited with an error, each with its status.
async fn drain(services: impl Iterator<Item = &Arc<Service>>) -> Vec<String> {
    let mut draining = JoinSet::new();
    for service in services.filter(|service| service.pid().is_some()).cloned() {
        draining.spawn(async move { (service.terminate().await, service) });
    }
    let ended = draining.join_all().await;
    let unclean = ended.into_iter().filter(|(status, _)| !status.success());
    unclean.map(|(status, service)| format!("{} ({status})", service.name())).collect()
}
