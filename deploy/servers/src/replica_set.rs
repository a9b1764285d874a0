//! Initiates replica sets of one or several mongods, and requests the state of a member.

use std::time::Duration;

use mongodb::{
    Client, Database,
    bson::{Document, doc},
    options::ClientOptions,
};
use tokio::net::TcpStream;

use crate::access::Access;

/// The name of the replica set.
pub(crate) const NAME: &str = "rs0";
/// How long a primary may be silent before another one is elected. MongoDB's default is 10 s, for slow networks.
const ELECTION_MS: i32 = 5000;

/// The address for the user with all rights.
pub(crate) fn url(hosts: &str, access: Option<&Access>) -> String {
    access.map_or_else(|| format!("mongodb://{hosts}/?replicaSet={NAME}"), |access| access.mongodb_uri(hosts, None))
}

pub(crate) async fn accepts_connections(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).await.is_ok()
}

/// A connection to one member, in whatever state it is.
pub(crate) struct Member {
    client: Client,
    host: String,
}

impl Member {
    pub(crate) async fn connect(port: u16, access: Option<&Access>) -> anyhow::Result<Self> {
        let host = format!("127.0.0.1:{port}");
        let mut options = ClientOptions::parse(url(&host, access)).await?;
        options.repl_set_name = None;
        options.direct_connection = Some(true);
        options.server_selection_timeout = Some(Duration::from_secs(2));
        let client = Client::with_options(options)?;
        Ok(Self { client, host })
    }

    /// Whether it is the primary and accepts writes. Initiates the set if that was not done yet.
    pub(crate) async fn is_writable_primary(&self) -> bool {
        let Ok(hello) = self.hello().await else {
            return false;
        };
        if hello.get_bool("isWritablePrimary").unwrap_or(false) {
            return true;
        }
        // A member of a set replies with its name. Without a set, or with another port in it, it does not.
        if hello.get_str("me").ok() != Some(self.host.as_str())
            && let Err(error) = self.make_set(std::slice::from_ref(&self.host)).await
        {
            tracing::debug!(%error, "replica set not initiated yet");
        }
        false
    }

    /// Whether it is the primary, or a secondary.
    pub(crate) async fn takes_part(&self) -> bool {
        let is = |hello: &Document, what: &str| hello.get_bool(what).unwrap_or(false);
        self.hello().await.is_ok_and(|hello| is(&hello, "isWritablePrimary") || is(&hello, "secondary"))
    }

    /// Whether it is the primary.
    pub(crate) async fn is_primary(&self) -> bool {
        self.hello().await.is_ok_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false))
    }

    /// Steps down as the primary for at least 10 s.
    pub(crate) async fn step_down(&self) -> mongodb::error::Result<()> {
        let command = doc! { "replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 5 };
        self.admin().run_command(command).await.map(drop)
    }

    pub(crate) async fn close(self) {
        self.client.shutdown().immediate(true).await;
    }

    /// Initiates the set, or, for data that was written on other ports, reconfigures it with the current ports.
    pub(crate) async fn make_set(&self, hosts: &[String]) -> mongodb::error::Result<()> {
        let members: Vec<_> = (0..).zip(hosts).map(|(id, host): (i32, _)| doc! { "_id": id, "host": host }).collect();
        let command = match self.admin().run_command(doc! { "replSetGetConfig": 1 }).await {
            Ok(reply) => {
                let mut config: Document = reply.get_document("config").cloned().unwrap_or_default();
                config.insert("version", config.get_i32("version").unwrap_or_default() + 1);
                config.insert("members", members);
                doc! { "replSetReconfig": config, "force": true }
            }
            Err(_) => {
                doc! { "replSetInitiate": { "_id": NAME, "members": members, "settings": { "electionTimeoutMillis": ELECTION_MS } } }
            }
        };
        self.admin().run_command(command).await.map(drop)
    }

    async fn hello(&self) -> mongodb::error::Result<Document> {
        self.admin().run_command(doc! { "hello": 1 }).await
    }

    fn admin(&self) -> Database {
        self.client.database("admin")
    }
}
