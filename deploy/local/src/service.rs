//! One service: a process that can be killed, suspended, drained and started again.

use std::{ffi::OsStr, io, path::PathBuf, process::ExitStatus, time::Duration};

use anyhow::{Context, bail};
use servers::{
    Slot, http_status,
    process::{self, Signal},
};
use tokio::time::{Instant, sleep};

use crate::log::Log;

/// How long a service may take to become ready.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long a service may drain before it is killed: its own deadline is 20 s by default.
const DRAIN_DEADLINE: Duration = Duration::from_secs(25);
const POLL: Duration = Duration::from_millis(20);

/// Which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// REST and Socket.IO for clients.
    Gateway,
    /// Pairs users and owns rooms.
    Matcher,
    /// Stores messages.
    ChatStore,
}

impl Kind {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Matcher => "matcher",
            Self::ChatStore => "chat-store",
        }
    }

    /// The service of this name.
    pub fn named(name: &OsStr) -> Option<Self> {
        [Self::Gateway, Self::Matcher, Self::ChatStore].into_iter().find(|kind| name == kind.name())
    }
}

/// A service of a stack. Its process is killed when this is dropped.
#[derive(Debug)]
pub struct Service {
    slot: Slot,
    name: String,
    kind: Kind,
    executable: PathBuf,
    env: Vec<(String, String)>,
    health_port: u16,
    log: Log,
}

impl Service {
    pub(crate) fn new(
        kind: Kind,
        name: String,
        executable: PathBuf,
        env: Vec<(String, String)>,
        health_port: u16,
        log: Log,
    ) -> Self {
        Self { slot: Slot::default(), name, kind, executable, env, health_port, log }
    }

    /// Its name, for instance `chat-store-2`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which service it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The process id, or nothing while it does not run.
    pub fn pid(&self) -> Option<u32> {
        self.slot.pid()
    }

    /// Where `/healthz`, `/readyz` and `/metrics` are, for instance `http://127.0.0.1:20420`.
    pub fn health_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.health_port)
    }

    /// The last 200 lines of its log, over restarts.
    pub fn recent_log(&self) -> String {
        self.log.recent()
    }

    /// Starts the process, if it is not running, and does not wait until it is ready.
    pub fn start(&self) -> anyhow::Result<()> {
        let command = || {
            let output = self.log.pipe()?;
            let mut command = process::command(&self.executable);
            command.arg(self.kind.name()).envs(self.env.iter().cloned());
            command.stdout(output.try_clone()?).stderr(output);
            io::Result::Ok(command)
        };
        self.slot.start(command).with_context(|| format!("cannot start {}", self.name))
    }

    /// Whether `/readyz` returns 200 now.
    pub async fn is_ready(&self) -> bool {
        http_status(self.health_port, "/readyz").await == Some(200)
    }

    /// Waits until it is ready, at most 60 s. Fails with the end of its log when it exits or takes too long.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        while !self.is_ready().await {
            if let Some(status) = self.slot.exit_status() {
                bail!("{} ended while starting ({status}):\n{}", self.name, self.recent_log());
            }
            if Instant::now() > deadline {
                bail!("{} is not ready after {START_DEADLINE:?}:\n{}", self.name, self.recent_log());
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Waits until the process has exited.
    pub async fn exited(&self) -> ExitStatus {
        self.slot.exited().await
    }

    /// Sends SIGKILL and waits until the process has exited.
    pub async fn kill(&self) {
        self.slot.kill().await;
    }

    /// Sends SIGTERM, and SIGKILL after 25 s; returns the exit status.
    pub async fn terminate(&self) -> ExitStatus {
        self.slot.stop(DRAIN_DEADLINE).await
    }

    /// Sends SIGSTOP: for others, the process hangs.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Sends SIGCONT, after [`Service::pause`].
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Sends a signal; does nothing when the process does not run.
    pub fn signal(&self, signal: Signal) {
        self.slot.signal(signal);
    }
}
