//! The runner; or a service, if the first argument names one.

use std::process::ExitCode;

fn main() -> ExitCode {
    local::run_as_service().unwrap_or_else(local::runner::main)
}
