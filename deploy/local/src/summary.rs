//! The addresses of a running stack: as text for the terminal, and as JSON for programs.

use std::{fmt::Write, fs, path::Path};

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::Stack;

/// The NATS user that lists and replays dead-lettered commands.
const DEAD_LETTERS: &str = "dead-letters";

/// What the runner prints when all is ready.
pub(crate) fn text(stack: &Stack, data: Option<&Path>) -> String {
    let mut text = String::from("\nReady.\n");
    for url in stack.gateway_urls() {
        line(&mut text, "open", url);
    }
    // A given address may hold a password.
    let nats = if stack.nats().is_empty() { "the one of --nats-url".to_owned() } else { stack.operators_nats_url() };
    line(&mut text, "NATS", &nats);
    if !stack.nats().is_empty() {
        // The events that carry no message text. `proto/README.md` describes the others.
        line(&mut text, "watch", &format!("export NATS_URL={nats}; nats sub 'talk.event.*.*'"));
        let user = stack.access().map(|access| access.password(DEAD_LETTERS));
        let user = user.map_or_else(String::new, |word| format!(" NATS_USER={DEAD_LETTERS} NATS_PASSWORD={word}"));
        let url = stack.nats_url();
        line(&mut text, "dead letters", &format!("NATS_URL={url}{user} cargo run -p dead-letters -- list"));
    }
    let mongodb = if stack.mongo().is_empty() { "the one of --mongodb-uri" } else { stack.mongodb_uri() };
    line(&mut text, "MongoDB", &format!("{mongodb}, database {}", stack.database()));
    let data = data.map_or_else(|| "deleted at the end".into(), |folder| folder.to_string_lossy());
    line(&mut text, "data", &data);
    for service in stack.services() {
        let pid = service.pid().unwrap_or_default();
        line(&mut text, service.name(), &format!("{}/readyz, pid {pid}", service.health_url()));
    }
    text.push('\n');
    text
}

/// Writes addresses and pids to a file, atomically.
pub(crate) fn write(stack: &Stack, file: &Path) -> anyhow::Result<()> {
    let unfinished = file.with_added_extension("unfinished");
    fs::write(&unfinished, json(stack).to_string())
        .and_then(|()| fs::rename(&unfinished, file))
        .with_context(|| format!("cannot write {}", file.display()))
}

fn json(stack: &Stack) -> Value {
    let health: Map<_, _> =
        stack.services().map(|service| (service.name().to_owned(), service.health_url().into())).collect();
    let services = stack.services().map(|service| (service.name().to_owned(), service.pid()));
    let nats = numbered("nats", stack.nats().iter().map(|nats| nats.pid()));
    let mongo = numbered("mongodb", stack.mongo().iter().map(|mongo| mongo.pid()));
    let pids: Map<_, _> = services.chain(nats).chain(mongo).map(|(name, pid)| (name, pid.into())).collect();
    json!({
        "gateways": stack.gateway_urls(),
        "nats": stack.nats_url(),
        "mongodb": stack.mongodb_uri(),
        "database": stack.database(),
        "health": health,
        "pids": pids,
    })
}

/// `nats` for a single one, `nats-1`, `nats-2`, … for several.
fn numbered(name: &str, pids: impl ExactSizeIterator<Item = Option<u32>>) -> Vec<(String, Option<u32>)> {
    let single = pids.len() == 1;
    let name = |number: usize| if single { name.to_owned() } else { format!("{name}-{number}") };
    (1..).zip(pids).map(|(number, pid)| (name(number), pid)).collect()
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {name:<13} {value}");
}
