//! How fast the system is: `cargo run --release -p bench`.
//!
//! Starts a stack of its own, loads it from this process, and prints what it took beside what
//! NATS and MongoDB alone take in the same run, since machines differ and are noisy: the ratios
//! are what can be compared. Everything shares the machine, the load included.
//!
//! - [`floor`]: the servers alone.
//! - [`chat`]: messages, from the author's socket to the acknowledgement and to the partner.
//! - [`meet`]: how long a crowd takes to be matched.
//! - [`idle`]: what a connected person costs.
//! - [`measure`]: percentiles, and what a process used.

mod chat;
mod floor;
mod idle;
mod measure;
mod meet;

use clap::Parser;
use local::{Database, Stack, StackOptions};
use std::process::ExitCode;

/// Loads a stack of its own on this machine, and prints how fast it is.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Options {
    /// Gateways to spread people over.
    #[arg(long, default_value_t = 1)]
    gateways: usize,
    /// Chat-stores that share the partitions.
    #[arg(long, default_value_t = 1)]
    chat_stores: usize,
    /// Seconds for each measurement of messages.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// People who want a partner at the same moment.
    #[arg(long, default_value_t = 1000)]
    crowd: usize,
    /// Idle connections to weigh.
    #[arg(long, default_value_t = 2000)]
    idle: usize,
}

fn main() -> ExitCode {
    local::run_as_service().unwrap_or_else(|| {
        let ran = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(anyhow::Error::from)
            .and_then(|runtime| runtime.block_on(run(Options::parse())));
        match ran {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::FAILURE
            }
        }
    })
}

async fn run(options: Options) -> anyhow::Result<()> {
    let stack = Stack::start(StackOptions {
        gateways: options.gateways,
        chat_stores: options.chat_stores,
        mongodb: Database::Own,
        // The load is one address and few people who write without pause.
        env: vec![("ACTIONS_PER_SECOND".to_owned(), "1000000".to_owned()), ("LOG".to_owned(), "warn".to_owned())],
        ..StackOptions::new(std::env::current_exe()?)
    })
    .await?;
    let floor = floor::measure(&stack).await?;
    idle::measure(&stack, options.idle).await?;
    meet::measure(&stack, options.crowd).await?;
    for pairs in [1, 10, 50] {
        chat::measure(&stack, pairs, options.seconds, &floor).await?;
    }
    stack.stop().await
}
