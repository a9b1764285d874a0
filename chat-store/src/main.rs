//! The chat-store's process.

use std::process::ExitCode;

fn main() -> ExitCode {
    proto::process::main(std::env::args_os(), chat_store::run)
}
