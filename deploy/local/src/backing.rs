//! The backing services of a stack, NATS and MongoDB: started for it, or given by address.

use std::{path::PathBuf, sync::Arc};

use anyhow::ensure;
use servers::{Access, Mongo, MongoOptions, MongoSet, Nats, NatsCluster, NatsOptions, process::Signal, shared_mongo};
use tokio::{task::JoinSet, try_join};

use crate::{
    data::Data,
    options::{Database, StackOptions},
    progress::Progress,
    service::Kind,
};

/// The default name of the database.
const DATABASE: &str = "talk";

/// The NATS servers that the stack started.
#[derive(Debug)]
pub(crate) enum OwnNats {
    None,
    One(Arc<Nats>),
    Cluster(NatsCluster),
}

/// The MongoDB servers that the stack started. A shared one outlives the stack and is not among them.
#[derive(Debug)]
pub(crate) enum OwnMongo {
    None,
    One(Arc<Mongo>),
    Set(MongoSet),
}

/// NATS, MongoDB, and how to connect to them.
#[derive(Debug)]
pub(crate) struct Backing {
    pub(crate) nats: OwnNats,
    pub(crate) mongo: OwnMongo,
    /// Without credentials: each service of a secured stack has its own.
    pub(crate) nats_url: String,
    /// With the administrator's credentials, if the stack is secured.
    pub(crate) mongodb_uri: String,
    pub(crate) database: String,
    pub(crate) access: Option<Access>,
}

impl Backing {
    /// Starts what is not given by address, and waits until it is ready.
    pub(crate) async fn start(
        options: &StackOptions,
        data: Option<&Data>,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let access = access(options, data)?;
        let data = data.map(|data| data.path().to_owned());
        progress.line("starting NATS and MongoDB; those that are not installed are downloaded first");
        let ((nats, nats_url), (mongo, mongodb_uri, fresh)) = try_join!(
            ready("NATS", progress, start_nats(options, data.clone(), access.clone())),
            ready("MongoDB", progress, find_mongo(options, data, access.clone())),
        )?;
        let database = options.database.clone().unwrap_or(fresh);
        if let Some(access) = &access {
            access.grant(&mongodb_uri, &database).await?;
        }
        Ok(Self { nats, mongo, nats_url, mongodb_uri, database, access })
    }

    /// The address of MongoDB for a service, with the service's credentials if the stack is secured.
    pub(crate) fn mongodb_uri_of(&self, service: Kind) -> String {
        let Some(access) = &self.access else { return self.mongodb_uri.clone() };
        let hosts: Vec<String> = self.mongo().iter().map(|mongo| mongo.host()).collect();
        access.mongodb_uri(&hosts.join(","), Some((service.name(), &self.database)))
    }

    /// The NATS nodes that the stack started.
    pub(crate) fn nats(&self) -> &[Arc<Nats>] {
        match &self.nats {
            OwnNats::None => &[],
            OwnNats::One(nats) => std::slice::from_ref(nats),
            OwnNats::Cluster(cluster) => cluster.nodes(),
        }
    }

    /// The MongoDB members that the stack started.
    pub(crate) fn mongo(&self) -> &[Arc<Mongo>] {
        match &self.mongo {
            OwnMongo::None => &[],
            OwnMongo::One(mongo) => std::slice::from_ref(mongo),
            OwnMongo::Set(set) => set.members(),
        }
    }

    /// Stops all servers that the stack started, and waits until they have exited.
    pub(crate) async fn stop(&self) {
        let mut stopping = JoinSet::new();
        for nats in self.nats() {
            let nats = nats.clone();
            stopping.spawn(async move { nats.stop().await });
        }
        for mongo in self.mongo() {
            let mongo = mongo.clone();
            stopping.spawn(async move { mongo.stop().await });
        }
        stopping.join_all().await;
    }

    /// Sends SIGKILL and does not wait.
    pub(crate) fn kill_now(&self) {
        self.nats().iter().for_each(|nats| nats.signal(Signal::SIGKILL));
        self.mongo().iter().for_each(|mongo| mongo.signal(Signal::SIGKILL));
    }
}

/// Reports when a server has started.
async fn ready<T>(
    name: &str,
    progress: &Progress,
    start: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let started = start.await?;
    progress.line(&format!("{name} ready"));
    Ok(started)
}

fn access(options: &StackOptions, data: Option<&Data>) -> anyhow::Result<Option<Access>> {
    if !options.secured {
        return Ok(None);
    }
    let own = options.nats_url.is_none() && matches!(options.mongodb, Database::Own);
    ensure!(own, "only servers that the stack starts itself can be secured");
    let access = data.map(|data| data.access_key().map(Access::new)).transpose()?;
    Ok(Some(access.unwrap_or_default()))
}

async fn start_nats(
    options: &StackOptions,
    data: Option<PathBuf>,
    access: Option<Access>,
) -> anyhow::Result<(OwnNats, String)> {
    if let Some(url) = &options.nats_url {
        return Ok((OwnNats::None, url.clone()));
    }
    if options.nats_nodes > 1 {
        let cluster = NatsCluster::start_with(options.nats_nodes, options.nats_server.clone(), data, access).await?;
        let url = cluster.url();
        return Ok((OwnNats::Cluster(cluster), url));
    }
    let nats = NatsOptions { executable: options.nats_server.clone(), data, access, ..Default::default() };
    let nats = Nats::start(nats).await?;
    let url = nats.url();
    Ok((OwnNats::One(Arc::new(nats)), url))
}

/// MongoDB, its address, and the default name of the database.
async fn find_mongo(
    options: &StackOptions,
    data: Option<PathBuf>,
    access: Option<Access>,
) -> anyhow::Result<(OwnMongo, String, String)> {
    let own = matches!(options.mongodb, Database::Own);
    ensure!(
        own || options.mongodb_members == 1,
        "only a MongoDB that the stack starts itself can have several members"
    );
    match &options.mongodb {
        Database::At(uri) => Ok((OwnMongo::None, uri.clone(), DATABASE.to_owned())),
        Database::Shared => {
            let mongo = shared_mongo().await?;
            Ok((OwnMongo::None, mongo.url(), mongo.fresh_database()))
        }
        Database::Own if options.mongodb_members > 1 => {
            let set = MongoSet::start_with(options.mongodb_members, options.mongod.clone(), data, access).await?;
            let uri = set.url();
            Ok((OwnMongo::Set(set), uri, DATABASE.to_owned()))
        }
        Database::Own => {
            let mongo = MongoOptions { executable: options.mongod.clone(), data, access, ..Default::default() };
            let mongo = Mongo::start(mongo).await?;
            let uri = mongo.url();
            Ok((OwnMongo::One(Arc::new(mongo)), uri, DATABASE.to_owned()))
        }
    }
}
