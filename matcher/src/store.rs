//! The connection to MongoDB: majority and journaled, reads from the primary. Makes the two
//! collections and their indexes.

use crate::{claims::Claims, config::Config, rooms::Rooms, users::Users};
use anyhow::Context as _;
use mongodb::{
    Client, Database,
    bson::doc,
    error::{Error, ErrorKind, RETRYABLE_WRITE_ERROR},
    options::{Acknowledgment, ClientOptions, ReadConcern, WriteConcern},
};
use std::time::Duration;

/// How long an operation looks for a primary. Shorter than a command's time to be
/// acknowledged, so that it is handed back before it is delivered again.
const SERVER_SELECTION: Duration = Duration::from_secs(3);

/// MongoDB's code for a collection that is there already.
const NAMESPACE_EXISTS: i32 = 48;

/// Everything that is stored.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
    pub(crate) users: Users,
    pub(crate) rooms: Rooms,
    pub(crate) claims: Claims,
}

impl Store {
    /// Connects and makes what is missing, trying for as long as the configuration allows.
    pub(crate) async fn connect(config: &Config) -> anyhow::Result<Self> {
        let mut options = ClientOptions::parse(&config.mongodb_uri).await.context("MONGODB_URI")?;
        options.app_name = Some("matcher".to_owned());
        options.server_selection_timeout = Some(SERVER_SELECTION);
        options.write_concern = Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build());
        options.read_concern = Some(ReadConcern::majority());
        let client = Client::with_options(options).context("MONGODB_URI")?;
        let database = client.database(&config.mongodb_database);
        let store = Self {
            users: Users::new(&database, config.room_ttl),
            rooms: Rooms::new(&database, config.room_ttl),
            claims: Claims::new(&database, config.room_ttl),
            database,
        };
        tokio::time::timeout(config.common.connect_timeout, store.prepare_patiently())
            .await
            .context("MongoDB was not ready within CONNECT_TIMEOUT; is MONGODB_URI right, and a replica set?")?;
        Ok(store)
    }

    async fn prepare_patiently(&self) {
        while let Err(error) = self.prepare().await {
            tracing::warn!("MongoDB is not ready yet: {error}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn prepare(&self) -> Result<(), Error> {
        for name in [Users::NAME, Rooms::NAME] {
            match self.database.create_collection(name).await {
                Err(error) if !exists(&error) => return Err(error),
                _ => {}
            }
        }
        self.users.create_indexes().await?;
        self.rooms.create_indexes().await
    }

    /// Answers if MongoDB does.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        self.database.run_command(doc! { "ping": 1 }).await.map(drop)
    }
}

fn exists(error: &Error) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == NAMESPACE_EXISTS)
}

/// MongoDB is away, or busy electing: the same again will work later.
pub(crate) fn is_away(error: &Error) -> bool {
    let kind = error.kind.as_ref();
    let unreachable =
        matches!(kind, ErrorKind::Io(_) | ErrorKind::ServerSelection { .. } | ErrorKind::ConnectionPoolCleared { .. });
    unreachable || error.contains_label(RETRYABLE_WRITE_ERROR)
}
