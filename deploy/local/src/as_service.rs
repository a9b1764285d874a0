//! The services of a stack are the same executable again: whatever program starts a stack asks
//! here first whether it was started as one of them.

use std::{ffi::OsString, process::ExitCode};

use crate::Kind;

/// Runs the service that the first argument names, if it names one.
pub fn run_as_service() -> Option<ExitCode> {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let kind = args.first().and_then(|name| Kind::named(name))?;
    Some(match kind {
        Kind::Gateway => proto::process::main(args, gateway::run),
        Kind::Matcher => proto::process::main(args, matcher::run),
        Kind::ChatStore => proto::process::main(args, chat_store::run),
    })
}
