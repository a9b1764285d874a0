//! The services of a stack run the executable that started it, with the service's name as the first argument. `main` of
//! such a program calls [`run_as_service`] before anything else.

use std::{ffi::OsString, process::ExitCode};

use crate::Kind;

/// Runs the service that the first argument names. None if it names none: then the program does its own work.
pub fn run_as_service() -> Option<ExitCode> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let kind = args.first().and_then(|name| Kind::named(name))?;
    Some(match kind {
        Kind::Gateway => proto::process::main(args, gateway::run),
        Kind::Matcher => proto::process::main(args, matcher::run),
        Kind::ChatStore => proto::process::main(args, chat_store::run),
    })
}
