//! Reads how many connections reconciliation closed that no gateway served. Each is an event that was lost; a fault of
//! the servers may lose some, nothing else may.

use std::{collections::HashMap, sync::Arc, time::Duration};

use local::{Service, Stack};
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    faults::read_metric,
    history::{Event, History},
};

/// The counter of a matcher.
const ORPHANS: &str = "talk_orphans_removed_total ";
/// How often it is read. A matcher that is killed takes with it what it counted since.
const EVERY: Duration = Duration::from_millis(500);

/// Reads until it is dropped.
pub(crate) struct OrphanWatch(JoinHandle<()>);

impl OrphanWatch {
    pub(crate) fn start(stack: &Stack, history: &History) -> Self {
        Self(tokio::spawn(watch(stack.matchers().to_vec(), history.clone())))
    }
}

impl Drop for OrphanWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch(matchers: Vec<Arc<Service>>, history: History) {
    let mut counted: HashMap<String, u64> = HashMap::new();
    loop {
        for matcher in &matchers {
            let Some(count) = read_metric(matcher, ORPHANS).await else { continue };
            let before = counted.insert(matcher.name().to_owned(), count as u64).unwrap_or(0);
            // A new process counts from 0.
            let removed = if count as u64 >= before { count as u64 - before } else { count as u64 };
            if removed > 0 {
                history.note(matcher.name(), Event::OrphansRemoved { count: removed });
            }
        }
        sleep(EVERY).await;
    }
}
