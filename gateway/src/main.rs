//! The gateway as a program of its own.

fn main() -> std::process::ExitCode {
    proto::process::main(std::env::args_os(), gateway::run)
}
