//! The two collections in MongoDB, their indexes, and the clock that all matchers share. One method for each question;
//! `domain` decides what follows.

pub(crate) mod clock;
mod collection;
pub(crate) mod matching;
pub(crate) mod rooms;
pub(crate) mod users;

pub(crate) use collection::conflict_delays;

use crate::config::Config;
use clock::Clock;
use matching::Matching;
use mongodb::{Database, error::Error};
use proto::{
    database::{create_collection, dependency, retry_until_ready},
    health::Dependency,
};
use rooms::Rooms;
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
        for name in [collection::USERS, collection::ROOMS] {
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
