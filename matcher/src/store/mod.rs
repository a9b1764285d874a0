//! The two collections in MongoDB, their indexes, and the clock that all matchers share. One method for each question;
//! `domain` decides what follows.

pub(crate) mod clock;
pub(crate) mod matching;
pub(crate) mod rooms;
pub(crate) mod users;

use crate::config::Config;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use clock::Clock;
use matching::Matching;
use mongodb::{Database, IndexModel, bson::Document, error::Error, options::IndexOptions};
use proto::{
    database::{create_collection, dependency, retry_until_ready},
    health::Dependency,
};
use rooms::Rooms;
use std::time::Duration;
use users::Users;

/// Everything that is stored. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    database: Database,
    pub(crate) users: Users,
    pub(crate) rooms: Rooms,
    pub(crate) matching: Matching,
    pub(crate) clock: Clock,
}

impl Store {
    /// Connects and creates what is missing, retrying for as long as the configuration allows.
    pub(crate) async fn connect(config: &Config) -> anyhow::Result<Self> {
        let database = config.mongodb.database("matcher").await?;
        let store = Self {
            users: Users::new(&database, config.room_ttl),
            rooms: Rooms::new(&database),
            matching: Matching::new(&database, config.room_ttl),
            clock: Clock::new(&database),
            database,
        };
        retry_until_ready(config.common.connect_timeout, || store.prepare()).await?;
        Ok(store)
    }

    async fn prepare(&self) -> Result<(), Error> {
        for name in [Users::NAME, Rooms::NAME] {
            create_collection(&self.database, name).await?;
        }
        self.users.create_indexes().await?;
        self.rooms.create_indexes().await?;
        self.clock.measure().await
    }

    /// MongoDB, as a dependency of this service.
    pub(crate) fn dependency(&self) -> Dependency {
        dependency(&self.database)
    }
}

/// Pauses after conflicts with other writers of the same document: 2 ms, 4 ms, … 100 ms, with jitter.
pub(crate) struct ConflictDelays(ExponentialBackoff);

pub(crate) fn conflict_delays() -> ConflictDelays {
    let delays = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(2))
        .with_max_delay(Duration::from_millis(100))
        .with_jitter()
        .without_max_times();
    ConflictDelays(delays.build())
}

impl ConflictDelays {
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.0.next().unwrap_or(Duration::from_millis(100))).await;
    }
}

fn index(keys: Document, options: IndexOptions) -> IndexModel {
    IndexModel::builder().keys(keys).options(options).build()
}
