//! The gateway as a program of its own.

fn main() -> std::process::ExitCode {
    proto::service::main(std::env::args_os(), gateway::run)
}
