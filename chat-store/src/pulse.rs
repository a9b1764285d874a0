//! Notices that this process was not running, or was busy with one thing for long.

use std::time::{Duration, Instant};

/// Above this the partition may belong to somebody else: well below
/// [`proto::streams::PINNED_TIMEOUT`], less the age that the last pull may have.
pub(crate) const LATE: Duration = Duration::from_millis(1500);

/// Watches the time between two looks.
pub(crate) struct Pulse {
    last: Instant,
    late: bool,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { last: Instant::now(), late: false }
    }

    /// Looks.
    pub(crate) fn beat(&mut self) {
        let now = Instant::now();
        self.late |= now.duration_since(self.last) > LATE;
        self.last = now;
    }

    /// Looks, and answers whether any two looks since the last answer were too far apart for
    /// what was known before to be trusted still.
    pub(crate) fn late(&mut self) -> bool {
        self.beat();
        std::mem::take(&mut self.late)
    }
}
