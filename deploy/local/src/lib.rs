//! Runs the whole system on one machine, each service in a process of its own.
//!
//! ```text
//! runner (the command)  ─┐
//! end-to-end tests      ─┴▶ Stack::start
//!                            ├─ backing      NATS and MongoDB (crate `servers`), or given addresses
//!                            ├─ data         the folder that a later run uses again
//!                            ├─ environment  the ports and variables of each service
//!                            ├─ startup      all services concurrently; the first that fails is named
//!                            ├─ service      one process: this executable again, as `local gateway`
//!                            │    └─ log     its lines: kept for errors, printed by the runner
//!                            ├─ restart      restarts processes that exited (the runner; optional for tests)
//!                            └─ progress     a line for each step, printed by the runner
//! ```
//!
//! A test starts an isolated stack on free ports, and may kill any process of it:
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
mod environment;
mod log;
mod options;
mod page;
mod progress;
mod restart;
pub mod runner;
mod service;
mod stack;
mod startup;
mod summary;

pub use as_service::run_as_service;
pub use log::Sink;
pub use options::{Database, NatsVia, StackOptions};
pub use service::{Kind, Service};
pub use stack::Stack;
