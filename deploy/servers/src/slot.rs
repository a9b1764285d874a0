//! A place for one process that may be killed and started again.

use std::{
    io,
    process::{Command, ExitStatus},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::process::{Process, Signal};

/// Holds a process, or nothing; shared by whoever starts, kills and watches it. Belongs to no runtime.
#[derive(Debug, Default)]
pub struct Slot(Mutex<Option<Arc<Process>>>);

impl Slot {
    /// Starts what the closure makes, unless the process runs.
    ///
    /// # Errors
    /// When the command cannot be made or run.
    pub fn start<E: From<io::Error>>(&self, command: impl FnOnce() -> Result<Command, E>) -> Result<(), E> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_none_or(|process| process.exit_status().is_some()) {
            *slot = Some(Arc::new(Process::spawn(command()?)?));
        }
        Ok(())
    }

    /// The process id, or nothing while it does not run.
    pub fn pid(&self) -> Option<u32> {
        let process = self.process()?;
        process.exit_status().is_none().then(|| process.pid())
    }

    /// How the process ended, or nothing while it runs or was never started.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.process()?.exit_status()
    }

    /// Waits until it has ended; does not wait when it was never started.
    pub async fn exited(&self) -> ExitStatus {
        match self.process() {
            Some(process) => process.exited().await,
            None => ExitStatus::default(),
        }
    }

    /// Sends a signal; does nothing when the process does not run.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = self.process() {
            process.signal(signal);
        }
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(&self) {
        if let Some(process) = self.process() {
            process.kill().await;
        }
    }

    /// SIGTERM, then SIGKILL if it still runs after `grace`; answers how it ended.
    pub async fn stop(&self, grace: Duration) -> ExitStatus {
        match self.process() {
            Some(process) => process.stop(grace).await,
            None => ExitStatus::default(),
        }
    }

    fn process(&self) -> Option<Arc<Process>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
