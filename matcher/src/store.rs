//! The two collections in MongoDB, and their indexes.

use crate::{claims::Claims, config::Config, rooms::Rooms, users::Users};
use mongodb::{Database, error::Error};
use proto::{
    database::{create_collection, needed, patiently},
    health::Needed,
};

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
        let database = config.mongodb.database("matcher").await?;
        let store = Self {
            users: Users::new(&database, config.room_ttl),
            rooms: Rooms::new(&database, config.room_ttl),
            claims: Claims::new(&database, config.room_ttl),
            database,
        };
        patiently(config.common.connect_timeout, || store.prepare()).await?;
        Ok(store)
    }

    async fn prepare(&self) -> Result<(), Error> {
        for name in [Users::NAME, Rooms::NAME] {
            create_collection(&self.database, name).await?;
        }
        self.users.create_indexes().await?;
        self.rooms.create_indexes().await
    }

    /// What nothing here works without.
    pub(crate) fn needed(&self) -> Needed {
        needed(&self.database)
    }
}
