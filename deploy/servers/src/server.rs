//! One server process with a log file: what NATS and MongoDB have in common.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    ports,
    process::{self, Process, Signal},
    scratch::Scratch,
};

/// How long a server may take until it answers. MongoDB recovers its journal in this time.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long a server may take to end after SIGTERM.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(20);
/// How many lines of the log an error shows.
const TAIL: usize = 20;

/// A data folder: given, and kept, or our own, and deleted.
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

/// A server that can be killed and started again with the same arguments. The process goes before the folder.
#[derive(Debug)]
pub(crate) struct Server {
    process: Mutex<Option<Arc<Process>>>,
    pub(crate) port: u16,
    name: &'static str,
    executable: PathBuf,
    args: Vec<std::ffi::OsString>,
    log: PathBuf,
    _folder: Folder,
}

impl Server {
    pub(crate) fn new(
        name: &'static str,
        executable: PathBuf,
        port: u16,
        args: Vec<std::ffi::OsString>,
        folder: Folder,
    ) -> anyhow::Result<Self> {
        let log = folder.path().join(format!("{name}.log"));
        File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let process = Mutex::new(None);
        Ok(Self { process, port, name, executable, args, log, _folder: folder })
    }

    /// Starts the process, unless it runs.
    pub(crate) fn launch(&self) -> anyhow::Result<()> {
        let mut process = self.lock();
        if process.as_ref().is_some_and(|process| process.exit_status().is_none()) {
            return Ok(());
        }
        ports::ensure_free(self.port)?;
        let log = OpenOptions::new().append(true).open(&self.log)?;
        let mut command = process::command(&self.executable);
        command.args(&self.args).stdout(log.try_clone()?).stderr(log);
        let started = Process::spawn(command).with_context(|| format!("cannot run {}", self.executable.display()))?;
        *process = Some(Arc::new(started));
        Ok(())
    }

    /// Asks until the answer is yes. Fails with the end of the log when the process ends or takes too long.
    pub(crate) async fn ready(&self, mut question: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            if let Some(status) = self.process().and_then(|process| process.exit_status()) {
                bail!("{} ended while starting ({status}){}", self.name, self.log_tail());
            }
            if timeout(START_DEADLINE, question()).await.unwrap_or(false) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} is not ready after {START_DEADLINE:?}{}", self.name, self.log_tail());
            }
            sleep(POLL).await;
        }
    }

    pub(crate) fn log_path(&self) -> &Path {
        &self.log
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        let process = self.process()?;
        process.exit_status().is_none().then(|| process.pid())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(process) = self.process() {
            process.signal(signal);
        }
    }

    pub(crate) async fn exited(&self) -> ExitStatus {
        match self.process() {
            Some(process) => process.exited().await,
            None => ExitStatus::default(),
        }
    }

    pub(crate) async fn kill(&self) {
        if let Some(process) = self.process() {
            process.kill().await;
        }
    }

    pub(crate) async fn stop(&self) {
        if let Some(process) = self.process() {
            process.stop(STOP_DEADLINE).await;
        }
    }

    fn process(&self) -> Option<Arc<Process>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Process>>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
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
