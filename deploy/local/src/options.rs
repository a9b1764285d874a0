//! What a stack is made of.

use std::path::PathBuf;

use crate::log::Sink;

/// Where the data of the services is.
#[derive(Debug)]
pub enum Database {
    /// The mongod that all tests of this process share, with a database of its own.
    Shared,
    /// A mongod of its own.
    Own,
    /// Another one, by its address.
    At(String),
}

/// The address of NATS for a service, given its name and the address that it would have; none for that one.
pub type NatsVia = Box<dyn Fn(&str, &str) -> anyhow::Result<Option<String>> + Send + Sync>;

/// What a stack is made of. Start from [`StackOptions::new`].
pub struct StackOptions {
    /// The runner's executable, which is run again for each service; in a test `env!("CARGO_BIN_EXE_local")`.
    pub executable: PathBuf,
    /// How many gateways; 1.
    pub gateways: usize,
    /// How many matchers; 1.
    pub matchers: usize,
    /// How many chat-stores; 1.
    pub chat_stores: usize,
    /// The port of the first gateway, the others follow; free ones.
    pub port: Option<u16>,
    /// The address of another NATS; without it the stack has its own.
    pub nats_url: Option<String>,
    /// How many nodes the stack's own NATS has; 1. With more, each stream has as many copies.
    pub nats_nodes: usize,
    /// How many members a MongoDB of the stack's own has; 1.
    pub mongodb_members: usize,
    /// Where the data of the services is; the shared mongod.
    pub mongodb: Database,
    /// The name of the database; a fresh one.
    pub database: Option<String>,
    /// The folder for servers and keys, kept; without it nothing is kept.
    pub data: Option<PathBuf>,
    /// The nats-server to run; see [`servers::NatsOptions::executable`].
    pub nats_server: Option<PathBuf>,
    /// The mongod to run; see [`servers::MongoOptions::executable`].
    pub mongod: Option<PathBuf>,
    /// Whether NATS and MongoDB ask who comes, with the users and rights of production; no. Only with own ones.
    pub secured: bool,
    /// Has services connect to NATS through something else, for instance a proxy; none.
    pub nats_via: Option<NatsVia>,
    /// Further variables for all services; they win over the stack's own.
    pub env: Vec<(String, String)>,
    /// Whether to start again what died; no.
    pub restart: bool,
    /// Gets all lines of all logs; nobody.
    pub sink: Option<Sink>,
}

impl StackOptions {
    /// One service of each kind on free ports, with its own NATS, the shared mongod and a fresh database.
    pub fn new(executable: impl Into<PathBuf>) -> Self {
        Self {
            executable: executable.into(),
            gateways: 1,
            matchers: 1,
            chat_stores: 1,
            port: None,
            nats_url: None,
            nats_nodes: 1,
            mongodb_members: 1,
            mongodb: Database::Shared,
            database: None,
            data: None,
            nats_server: None,
            mongod: None,
            secured: false,
            nats_via: None,
            env: Vec::new(),
            restart: false,
            sink: None,
        }
    }
}
