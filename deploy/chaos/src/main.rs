//! The command; or, if the first argument names one, a service of the stack that it breaks.

use std::process::ExitCode;

use chaos::{
    faults::Fault,
    run::{Plan, run},
};
use clap::Parser;

/// Breaks parts of the whole system under traffic, and checks what clients received against the promises.
///
/// Runs on this machine with servers of its own. The exit code is a failure when a promise was broken; then each
/// violation is printed with the events around it. The same seed makes the same users and faults.
#[derive(Debug, Parser)]
#[command(name = "chaos", version)]
struct Options {
    /// Decides what users do and which faults strike
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// For how long faults strike
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// For how many seconds there is traffic before the first fault, and after the last one
    #[arg(long, default_value_t = 5)]
    calm: u64,
    /// How many users there are at once
    #[arg(long, default_value_t = 30)]
    users: usize,
    /// Only these faults, one after the other in this order, again and again. Default: all of them, shuffled
    #[arg(long, value_name = "NAME", num_args = 1.., value_parser = Fault::named)]
    fault: Vec<Fault>,
    /// Write the whole history here, one event a line
    #[arg(long, value_name = "PATH")]
    history: Option<std::path::PathBuf>,
}

fn main() -> ExitCode {
    local::run_as_service().unwrap_or_else(|| match start(Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    })
}

#[tokio::main]
async fn start(options: Options) -> anyhow::Result<bool> {
    let Options { seed, minutes, calm, users, fault, history } = options;
    let calm = std::time::Duration::from_secs(calm);
    let time = std::time::Duration::try_from_secs_f64(minutes * 60.0)?;
    let plan = Plan { executable: std::env::current_exe()?, seed, time, calm, users, faults: fault };
    let report = run(plan, |line| eprintln!("{line}")).await?;
    println!("{report}");
    if let Some(path) = history {
        std::fs::write(path, report.history_as_text())?;
    }
    Ok(report.violations.is_empty())
}
