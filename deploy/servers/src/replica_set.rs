//! Makes a mongod a replica set of one, and asks whether it can be written to.

use std::time::Duration;

use mongodb::{
    Client, Database,
    bson::{Document, doc},
    options::ClientOptions,
};
use tokio::net::TcpStream;

/// The name of the replica set.
pub(crate) const NAME: &str = "rs0";

pub(crate) async fn accepts_connections(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}

/// A connection to one member, whatever state it is in.
pub(crate) struct Member {
    client: Client,
    host: String,
}

impl Member {
    pub(crate) async fn connect(port: u16) -> anyhow::Result<Self> {
        let host = format!("127.0.0.1:{port}");
        let mut options = ClientOptions::parse(format!("mongodb://{host}/?directConnection=true")).await?;
        options.server_selection_timeout = Some(Duration::from_secs(2));
        let client = Client::with_options(options)?;
        Ok(Self { client, host })
    }

    /// Whether it is the primary and takes writes; sets it on the way there when nobody did.
    pub(crate) async fn is_writable_primary(&self) -> bool {
        let Ok(hello) = self.admin().run_command(doc! { "hello": 1 }).await else {
            return false;
        };
        if hello.get_bool("isWritablePrimary").unwrap_or(false) {
            return true;
        }
        // A member that is in its set says who it is; without a set, or with another port in it, it does not.
        if hello.get_str("me").ok() != Some(self.host.as_str())
            && let Err(error) = self.make_set_of_one().await
        {
            tracing::debug!(%error, "the replica set is not there yet");
        }
        false
    }

    pub(crate) async fn close(self) {
        self.client.shutdown().immediate(true).await;
    }

    /// Initiates the set, or, for data that was written on another port, gives its member the port of today.
    async fn make_set_of_one(&self) -> mongodb::error::Result<()> {
        let members = vec![doc! { "_id": 0, "host": &self.host }];
        let command = match self.admin().run_command(doc! { "replSetGetConfig": 1 }).await {
            Ok(answer) => {
                let mut config: Document = answer.get_document("config").cloned().unwrap_or_default();
                config.insert("version", config.get_i32("version").unwrap_or_default() + 1);
                config.insert("members", members);
                doc! { "replSetReconfig": config, "force": true }
            }
            Err(_) => doc! { "replSetInitiate": { "_id": NAME, "members": members } },
        };
        self.admin().run_command(command).await.map(drop)
    }

    fn admin(&self) -> Database {
        self.client.database("admin")
    }
}
