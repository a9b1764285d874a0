//! Notices when the machine itself stands still: then no time limit counts.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::history::{Event, History, Ms};

/// How often the clock is read.
const EVERY: Duration = Duration::from_millis(100);
/// What comes this much too late was held up by the machine.
const TOO_LATE: Duration = Duration::from_millis(600);
/// The name of a standstill among the faults, and of its target.
pub(crate) const MACHINE: &str = "machine";

/// Watches until it is dropped.
pub(crate) struct StandstillWatch(JoinHandle<()>);

impl StandstillWatch {
    pub(crate) fn start(history: &History) -> Self {
        Self(tokio::spawn(watch(history.clone())))
    }
}

impl Drop for StandstillWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch(history: History) {
    loop {
        let before = Instant::now();
        sleep(EVERY).await;
        let late = before.elapsed().saturating_sub(EVERY);
        if late > TOO_LATE {
            let late = Ms::try_from(late.as_millis()).unwrap_or(Ms::MAX);
            history.note_ago(late, MACHINE, Event::FaultStarted { target: MACHINE.to_owned() });
            history.note(MACHINE, Event::FaultEnded);
        }
    }
}
