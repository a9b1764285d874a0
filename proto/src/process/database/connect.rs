//! Where MongoDB is, its read and write concerns, and waiting for it at the start.

use super::errors::is_command_error;
use crate::{bus::backoff, process::health::Dependency};
use anyhow::Context as _;
use clap::Args;
use mongodb::{
    Client, Database,
    bson::doc,
    error::Error,
    options::{Acknowledgment, ClientOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern},
};
use std::{future::Future, time::Duration};

/// How long an operation looks for a primary.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the majority may take to have a write in its journals.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// MongoDB's code for a collection that exists already.
const NAMESPACE_EXISTS: i32 = 48;

/// Where MongoDB is.
#[derive(Args, Clone, Debug)]
pub struct MongoDb {
    /// The address of MongoDB: a replica set of one member or more, since results are acknowledged by a majority.
    #[arg(long, env = "MONGODB_URI", default_value = "mongodb://127.0.0.1:27017", hide_env_values = true)]
    pub mongodb_uri: String,
    /// The database, which matcher and chat-store share.
    #[arg(long, env = "MONGODB_DATABASE", default_value = "talk")]
    pub mongodb_database: String,
}

impl MongoDb {
    /// The database, over a client that connects when it is first used. Nothing is reported that could be rolled back:
    /// writes wait for the journals of the majority, reads return what the majority has, at the primary, whatever the
    /// options of the address are.
    ///
    /// # Errors
    /// When `MONGODB_URI` is not an address.
    pub async fn database(&self, service: &str) -> anyhow::Result<Database> {
        let parsed = ClientOptions::parse(&self.mongodb_uri).await;
        let mut options = parsed.context("MONGODB_URI is not an address of MongoDB")?;
        options.app_name = Some(service.to_owned());
        options.server_selection_timeout = Some(SELECTION_TIMEOUT);
        let journaled = WriteConcern::builder().w(Acknowledgment::Majority).journal(true);
        options.write_concern = Some(journaled.w_timeout(WRITE_TIMEOUT).build());
        options.read_concern = Some(ReadConcern::majority());
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        Ok(Client::with_options(options).context("MONGODB_URI")?.database(&self.mongodb_database))
    }
}

/// Creates what a service needs in MongoDB, retrying until it works.
///
/// # Errors
/// When it has not worked within this time.
pub async fn retry_until_ready<F: Future<Output = Result<(), Error>>>(
    timeout: Duration,
    prepare: impl Fn() -> F,
) -> anyhow::Result<()> {
    let preparing = backoff::until_ok(prepare, |error| tracing::warn!("MongoDB not ready: {error}"));
    let prepared = tokio::time::timeout(timeout, preparing).await;
    prepared.context("MongoDB was not ready within CONNECT_TIMEOUT; is MONGODB_URI right, and a replica set?")
}

/// Creates a collection, if it does not exist.
///
/// # Errors
/// When MongoDB does not respond, or refuses.
pub async fn create_collection(database: &Database, name: &str) -> Result<(), Error> {
    match database.create_collection(name).await {
        Err(error) if !is_command_error(&error, NAMESPACE_EXISTS) => Err(error),
        _ => Ok(()),
    }
}

/// MongoDB, as a dependency of a service.
#[must_use]
pub fn dependency(database: &Database) -> Dependency {
    let database = database.clone();
    Dependency::new("MongoDB", move || {
        let database = database.clone();
        async move { database.run_command(doc! {"ping": 1}).await.is_ok() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn options_of_the_address_do_not_weaken_the_concerns() {
        let mongodb_uri = "mongodb://127.0.0.1/?w=1&journal=false&readPreference=secondary&readConcernLevel=local";
        let config = MongoDb { mongodb_uri: mongodb_uri.to_owned(), mongodb_database: "talk".to_owned() };
        let database = config.database("test").await.expect("an address");
        let written = database.write_concern().expect("set");
        assert_eq!((&written.w, written.journal), (&Some(Acknowledgment::Majority), Some(true)));
        assert_eq!(database.read_concern(), Some(&ReadConcern::majority()));
        let read_from = database.selection_criteria();
        assert!(matches!(read_from, Some(SelectionCriteria::ReadPreference(ReadPreference::Primary))), "{read_from:?}");
    }
}
