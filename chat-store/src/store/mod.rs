//! MongoDB, as the chat-store uses it: the collection `messages`, which only it writes (`messages`, `schema`), and
//! the matcher's `rooms`, which it reads (`rooms`).

mod messages;
pub(crate) mod rooms;
pub(crate) mod schema;

use crate::config::Config;
use messages::Messages;
use mongodb::{Database, error::Error};
use proto::{
    database::{create_collection, dependency},
    health::Dependency,
};
use rooms::RoomReader;

/// The collections of the chat-store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    database: Database,
    messages: Messages,
    rooms: RoomReader,
}

impl Store {
    /// Over a client that connects when it is first used.
    ///
    /// # Errors
    /// When `MONGODB_URI` is not an address.
    pub async fn new(config: &Config) -> anyhow::Result<Self> {
        let database = config.mongodb.database("chat-store").await?;
        let messages = Messages::new(&database, config.message_ttl);
        Ok(Self { messages, rooms: RoomReader::new(&database), database })
    }

    /// Creates the collection and its indexes, if they do not exist.
    ///
    /// # Errors
    /// When MongoDB does not respond.
    pub async fn prepare(&self) -> Result<(), Error> {
        create_collection(&self.database, messages::NAME).await?;
        self.messages.create_indexes().await
    }

    /// MongoDB, as a dependency of the service.
    pub(crate) fn dependency(&self) -> Dependency {
        dependency(&self.database)
    }

    /// The messages.
    pub(crate) fn messages(&self) -> &Messages {
        &self.messages
    }

    /// The rooms.
    pub(crate) fn rooms(&self) -> &RoomReader {
        &self.rooms
    }
}

/// Ids as they are in documents.
fn texts<T: ToString>(ids: &[T]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
