//! Runs the whole system on one machine, each service in a process of its own.
//!
//! ```text
//! runner (the command)  ─┐
//! end-to-end tests      ─┴▶ Stack::start
//!                            ├─ backing   NATS and MongoDB (crate `servers`), or addresses of others
//!                            ├─ data      the folder that a later run takes up again
//!                            ├─ making    which ports and variables a service gets
//!                            ├─ starting  all services at once; the first that fails is named
//!                            ├─ service   one process: this executable again, as `local gateway`
//!                            │    └─ log  its lines: kept for errors, shown by the runner
//!                            └─ watch     starts again what died (the runner; tests if they ask)
//! ```
//!
//! A test starts an isolated stack on free ports, and kills what it wants to:
//!
//! ```no_run
//! # async fn test() -> anyhow::Result<()> {
//! let stack = local::Stack::start(local::StackOptions {
//!     gateways: 2,
//!     ..local::StackOptions::new(env!("CARGO")) // in a test of this crate: CARGO_BIN_EXE_local
//! })
//! .await?;
//! stack.gateways()[0].kill().await;
//! println!("{} is still there", stack.gateway_urls()[1]);
//! stack.stop().await
//! # }
//! ```

mod as_service;
mod backing;
mod data;
mod log;
mod making;
mod options;
mod page;
pub mod runner;
mod service;
mod stack;
mod starting;
mod summary;
mod watch;

pub use as_service::run_as_service;
pub use log::Sink;
pub use options::{Database, NatsVia, StackOptions};
pub use service::{Kind, Service};
pub use stack::Stack;
