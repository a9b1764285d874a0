//! The runner; or, when it is told to be one, a service.

use std::process::ExitCode;

fn main() -> ExitCode {
    local::run_as_service().unwrap_or_else(local::runner::main)
}
