//! Notices when the machine itself stands still: then nobody's time limit counts.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::history::{Event, History, Ms};

/// How often to look at the clock.
const EVERY: Duration = Duration::from_millis(100);
/// Whatever comes this much too late was held up by the machine.
const TOO_LATE: Duration = Duration::from_millis(600);
/// What is held up, as a fault names it.
pub(crate) const MACHINE: &str = "machine";

/// Looks until it is dropped.
pub(crate) struct Watch(JoinHandle<()>);

impl Watch {
    pub(crate) fn begin(history: &History) -> Self {
        Self(tokio::spawn(look(history.clone())))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn look(history: History) {
    loop {
        let before = Instant::now();
        sleep(EVERY).await;
        let late = before.elapsed().saturating_sub(EVERY);
        if late > TOO_LATE {
            let late = Ms::try_from(late.as_millis()).unwrap_or(Ms::MAX);
            history.note_ago(late, MACHINE, Event::FaultBegan { target: MACHINE.to_owned() });
            history.note(MACHINE, Event::FaultOver);
        }
    }
}
