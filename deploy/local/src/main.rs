//! The runner; or, when it is told to be one, a service.

use std::{ffi::OsString, process::ExitCode};

use local::{Kind, runner};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    match args.get(1).and_then(|name| Kind::named(name)) {
        Some(kind) => run_service(kind, args.into_iter().skip(1)),
        None => runner::main(),
    }
}

fn run_service(kind: Kind, args: impl Iterator<Item = OsString>) -> ExitCode {
    match kind {
        Kind::Gateway => proto::service::main(args, gateway::run),
        Kind::Matcher => proto::service::main(args, matcher::run),
        Kind::ChatStore => proto::service::main(args, chat_store::run),
    }
}
