//! What the services stand on: NATS and MongoDB, started for the stack or given by address.

use std::{path::PathBuf, sync::Arc};

use servers::{Mongo, MongoOptions, Nats, NatsOptions, process::Signal, shared_mongo};
use tokio::{join, try_join};

use crate::options::{Database, StackOptions};

/// The name of the database where nobody asks for another one.
const DATABASE: &str = "talk";

#[derive(Debug)]
pub(crate) struct Backing {
    pub(crate) nats: Option<Arc<Nats>>,
    /// Nothing for a shared one: it outlives the stack.
    pub(crate) mongo: Option<Arc<Mongo>>,
    pub(crate) nats_url: String,
    pub(crate) mongodb_uri: String,
    pub(crate) database: String,
}

impl Backing {
    pub(crate) async fn start(options: &StackOptions, data: Option<PathBuf>) -> anyhow::Result<Self> {
        let (nats, (mongo, mongodb_uri, fresh)) =
            try_join!(start_nats(options, data.clone()), find_mongo(options, data))?;
        let given = options.nats_url.clone().unwrap_or_default();
        Ok(Self {
            nats_url: nats.as_ref().map_or(given, |nats| nats.url()),
            nats,
            mongo,
            mongodb_uri,
            database: options.database.clone().unwrap_or(fresh),
        })
    }

    pub(crate) async fn stop(&self) {
        let nats = async {
            if let Some(nats) = &self.nats {
                nats.stop().await;
            }
        };
        let mongo = async {
            if let Some(mongo) = &self.mongo {
                mongo.stop().await;
            }
        };
        join!(nats, mongo);
    }

    /// SIGKILL, without waiting.
    pub(crate) fn kill_now(&self) {
        if let Some(nats) = &self.nats {
            nats.signal(Signal::SIGKILL);
        }
        if let Some(mongo) = &self.mongo {
            mongo.signal(Signal::SIGKILL);
        }
    }
}

async fn start_nats(options: &StackOptions, data: Option<PathBuf>) -> anyhow::Result<Option<Arc<Nats>>> {
    if options.nats_url.is_some() {
        return Ok(None);
    }
    let nats = NatsOptions { executable: options.nats_server.clone(), data, ..Default::default() };
    Ok(Some(Arc::new(Nats::start(nats).await?)))
}

/// The mongod, if it is the stack's own, its address, and a name for the database.
async fn find_mongo(
    options: &StackOptions,
    data: Option<PathBuf>,
) -> anyhow::Result<(Option<Arc<Mongo>>, String, String)> {
    match &options.mongodb {
        Database::At(uri) => Ok((None, uri.clone(), DATABASE.to_owned())),
        Database::Shared => {
            let mongo = shared_mongo().await?;
            Ok((None, mongo.url(), mongo.fresh_database()))
        }
        Database::Own => {
            let mongo = MongoOptions { executable: options.mongod.clone(), data, ..Default::default() };
            let mongo = Mongo::start(mongo).await?;
            let uri = mongo.url();
            Ok((Some(Arc::new(mongo)), uri, DATABASE.to_owned()))
        }
    }
}
