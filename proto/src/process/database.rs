//! MongoDB, as all services use it: where it is, its read and write concerns, waiting for it at the start, and what its
//! errors mean. Only with the feature `mongodb`.

use crate::{bus::backoff, process::health::Dependency};
use anyhow::Context as _;
use clap::Args;
use mongodb::{
    Client, Database,
    bson::doc,
    error::{Error, ErrorKind, RETRYABLE_WRITE_ERROR, WriteFailure},
    options::{Acknowledgment, ClientOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern},
};
use std::{future::Future, time::Duration};

/// How long an operation looks for a primary.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the majority may take to have a write in its journals.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// MongoDB's code for a key that is there already.
pub const DUPLICATE_KEY: i32 = 11000;
/// MongoDB's code for a collection that is there already.
const NAMESPACE_EXISTS: i32 = 48;
/// The server steps down, stops, begins or lost its connection: of no document's making. The driver's codes for
/// reads that are worth another try.
const STATE_CHANGES: [i32; 13] = [6, 7, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436];

/// Credentials or rights are missing: of the configuration's making. Nothing is dead-lettered while an operator mends it.
const UNAUTHORIZED: [i32; 2] = [13, 18];

/// Where MongoDB is.
#[derive(Args, Clone, Debug)]
pub struct MongoDb {
    /// Where MongoDB is: a replica set, of one member or more, since what is answered has to be kept by a majority.
    #[arg(long, env = "MONGODB_URI", default_value = "mongodb://127.0.0.1:27017", hide_env_values = true)]
    pub mongodb_uri: String,
    /// The database, which matcher and chat-store share.
    #[arg(long, env = "MONGODB_DATABASE", default_value = "talk")]
    pub mongodb_database: String,
}

impl MongoDb {
    /// The database, over a client that connects when it is first used. Nothing is told that could be rolled back:
    /// written to the journals of the majority and read from what the majority has, at the primary, whatever the
    /// address says.
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

/// Whether MongoDB is unavailable, or electing a primary, or refuses this service, or the majority is too slow: the same
/// will work later.
#[must_use]
pub fn is_transient(error: &Error) -> bool {
    let unreachable = match error.kind.as_ref() {
        ErrorKind::Io(_) | ErrorKind::ServerSelection { .. } | ErrorKind::ConnectionPoolCleared { .. } => true,
        ErrorKind::Authentication { .. } => true,
        ErrorKind::Command(command) => is_state_change(command.code) || UNAUTHORIZED.contains(&command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => is_state_change(write.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
        ErrorKind::InsertMany(many) => {
            let mut writes = many.write_errors.iter().flatten();
            many.write_concern_error.is_some() || writes.any(|write| is_state_change(write.code))
        }
        _ => false,
    };
    unreachable || error.contains_label(RETRYABLE_WRITE_ERROR)
}

/// Whether a server that steps down, stops or begins refuses with this code.
#[must_use]
pub fn is_state_change(code: i32) -> bool {
    STATE_CHANGES.contains(&code)
}

fn is_command_error(error: &Error, code: i32) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(failed) if failed.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i32) -> Error {
        let refusal = doc! {"code": code, "codeName": "Name", "errmsg": "a sentence"};
        ErrorKind::Command(mongodb::bson::deserialize_from_document(refusal).expect("a refusal")).into()
    }

    #[test]
    fn a_change_of_the_servers_state_is_transient_and_a_refusal_is_not() {
        for (code, transient) in
            [(10107, true), (11600, true), (134, true), (13, true), (121, false), (11000, false), (48, false)]
        {
            assert_eq!(is_transient(&refused(code)), transient, "{code}");
        }
        assert!(is_transient(&std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()));
    }

    #[tokio::test]
    async fn what_is_written_is_kept_whatever_the_address_says() {
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
