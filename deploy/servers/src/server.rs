//! One server process with a log file: the common part of NATS and MongoDB.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    ports,
    process::{self, Signal},
    scratch::Scratch,
    slot::Slot,
};

/// How long a server may take until it is ready. MongoDB recovers its journal in this time.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long a server may take to end after SIGTERM.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(20);
/// How many lines of the log an error shows.
const TAIL: usize = 20;

/// A data folder: a given one, which is kept, or our own, which is deleted.
#[derive(Debug)]
pub(crate) enum Folder {
    Given(PathBuf),
    Own(Scratch),
}

impl Folder {
    pub(crate) fn new(given: Option<PathBuf>) -> anyhow::Result<Self> {
        let Some(path) = given else {
            return Scratch::new().map(Self::Own);
        };
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self::Given(path))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Own(scratch) => scratch.path(),
        }
    }
}

/// A server that can be killed and started again with the same arguments. Dropping it ends the process, then deletes
/// the folder.
#[derive(Debug)]
pub struct Server {
    pub(crate) port: u16,
    slot: Slot,
    log: PathBuf,
    name: &'static str,
    executable: PathBuf,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    _folder: Folder,
}

impl Server {
    pub(crate) fn new(
        name: &'static str,
        executable: PathBuf,
        port: u16,
        args: Vec<OsString>,
        folder: Folder,
    ) -> anyhow::Result<Self> {
        let log = folder.path().join(format!("{name}.log"));
        File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        Ok(Self { slot: Slot::default(), port, log, name, executable, args, env: Vec::new(), _folder: folder })
    }

    /// With these environment variables in addition to those of this process.
    pub(crate) fn with_env(self, env: Vec<(String, String)>) -> Self {
        Self { env, ..self }
    }

    /// Starts the process, unless it runs.
    pub(crate) fn launch(&self) -> anyhow::Result<()> {
        let command = || {
            ports::ensure_free(self.port)?;
            let log = OpenOptions::new().append(true).open(&self.log)?;
            let mut command = process::command(&self.executable);
            command.args(&self.args).envs(self.env.iter().cloned()).stdout(log.try_clone()?).stderr(log);
            anyhow::Ok(command)
        };
        self.slot.start(command).with_context(|| format!("cannot start {}", self.name))
    }

    /// Probes until the result is true. Fails with the end of the log when the process ends or takes too long.
    pub(crate) async fn ready<F>(&self, mut probe: impl FnMut() -> F) -> anyhow::Result<()>
    where
        F: Future<Output = bool>,
    {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            if let Some(status) = self.slot.exit_status() {
                bail!("{} ended while starting ({status}){}", self.name, self.log_tail());
            }
            if timeout(START_DEADLINE, probe()).await.unwrap_or(false) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} is not ready after {START_DEADLINE:?}{}", self.name, self.log_tail());
            }
            sleep(POLL).await;
        }
    }

    /// The process id, or none while it does not run.
    pub fn pid(&self) -> Option<u32> {
        self.slot.pid()
    }

    /// The file with its output.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Sends a signal, for instance SIGSTOP.
    pub fn signal(&self, signal: Signal) {
        self.slot.signal(signal);
    }

    /// Waits until it has ended.
    pub async fn exited(&self) -> ExitStatus {
        self.slot.exited().await
    }

    /// SIGKILL, and waits until it has ended.
    pub async fn kill(&self) {
        self.slot.kill().await;
    }

    /// SIGTERM, and SIGKILL after 15 s.
    pub async fn stop(&self) {
        self.slot.stop(STOP_DEADLINE).await;
    }

    fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        let hint = if log.contains("error while loading shared libraries") {
            "\nA shared library is missing: on Debian, `apt install libcurl4 libssl3`."
        } else {
            ""
        };
        format!("; the end of {}:\n{tail}{hint}", self.log.display())
    }
}
