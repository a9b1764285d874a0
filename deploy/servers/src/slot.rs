//! A slot for one process that may be killed and started again.

use std::{
    io,
    process::{Command, ExitStatus},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

use crate::process::{Process, Signal};

/// A process, or none. Several tasks may start, kill and watch it. It belongs to no runtime.
#[derive(Debug, Default)]
pub struct Slot(Mutex<Option<Arc<Process>>>);

impl Slot {
    /// Starts the command that the closure returns, unless the process runs.
    ///
    /// # Errors
    /// When the closure fails, or the command cannot be executed.
    pub fn start<E: From<io::Error>>(&self, command: impl FnOnce() -> Result<Command, E>) -> Result<(), E> {
        let mut slot = self.0.lock();
        if slot.as_ref().is_none_or(|process| process.exit_status().is_some()) {
            *slot = Some(Arc::new(Process::spawn(command()?)?));
        }
        Ok(())
    }

    /// The process id, or none while it does not run.
    pub fn pid(&self) -> Option<u32> {
        let process = self.process()?;
        process.exit_status().is_none().then(|| process.pid())
    }

    /// How the process ended, or none while it runs or was never started.
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

    /// SIGKILL, and waits until it has ended.
    pub async fn kill(&self) {
        if let Some(process) = self.process() {
            process.kill().await;
        }
    }

    /// SIGTERM, then SIGKILL if it still runs after `grace`; returns how it ended.
    pub async fn stop(&self, grace: Duration) -> ExitStatus {
        match self.process() {
            Some(process) => process.stop(grace).await,
            None => ExitStatus::default(),
        }
    }

    fn process(&self) -> Option<Arc<Process>> {
        self.0.lock().clone()
    }
}
