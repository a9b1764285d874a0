//! Notices that this process was suspended (SIGSTOP, a frozen host), or was busy with one thing for long.

use std::time::{Duration, Instant};

/// Above this another process may own the partition: well below [`proto::timing::PINNED_TIMEOUT`], less the age that the
/// last pull request may have.
pub(super) const LATE: Duration = Duration::from_millis(1500);

/// Measures the time between two looks.
pub(super) struct SuspensionDetector {
    last: Instant,
    suspended: bool,
}

impl SuspensionDetector {
    pub(super) fn new() -> Self {
        Self { last: Instant::now(), suspended: false }
    }

    /// Looks.
    pub(super) fn look(&mut self) {
        let now = Instant::now();
        self.suspended |= now.duration_since(self.last) > LATE;
        self.last = now;
    }

    /// Looks, and returns whether any two looks since the last call were too far apart for what was known before to be
    /// trusted still.
    pub(super) fn was_suspended(&mut self) -> bool {
        self.look();
        std::mem::take(&mut self.suspended)
    }
}
