//! The matcher's process: see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    proto::service::main(std::env::args_os(), matcher::run)
}
