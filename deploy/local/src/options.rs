//! The options of a stack.

use std::path::PathBuf;

use crate::log::Sink;

/// Where the data of the services is.
#[derive(Debug)]
pub enum Database {
    /// The mongod that all tests of this process share, with a database of its own.
    Shared,
    /// A mongod that the stack starts and stops.
    Own,
    /// An existing MongoDB, by its address.
    At(String),
}

/// Maps the name of a service and the address of NATS to the address that this service gets; none keeps it.
pub type NatsVia = Box<dyn Fn(&str, &str) -> anyhow::Result<Option<String>> + Send + Sync>;

/// The options of a stack. Start from [`StackOptions::new`]; each field names its default.
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
    /// The address of an existing NATS; without it the stack starts one.
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
    /// Whether NATS and MongoDB require authentication, with the users and rights of production; no. Only for servers
    /// that the stack starts.
    pub secured: bool,
    /// Makes services connect to NATS through another address, for instance a proxy; none.
    pub nats_via: Option<NatsVia>,
    /// Further environment variables for all services; they override the stack's own.
    pub env: Vec<(String, String)>,
    /// Whether to restart processes that exited; no.
    pub restart: bool,
    /// Receives all log lines of all services, and the progress of the stack itself under the name `local`; none.
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
