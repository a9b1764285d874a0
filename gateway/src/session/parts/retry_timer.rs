//! When something is due again that did not work, by the delays that all retries have.

use proto::bus::retry;
use std::time::Duration;
use tokio::time::Instant;

/// The delays grow no more after so many attempts.
const LONGEST_AFTER: usize = 8;

/// When the next attempt is due.
pub(crate) struct RetryTimer {
    attempts: usize,
    at: Instant,
}

impl RetryTimer {
    /// The first attempt is due now.
    pub(crate) fn due_now() -> Self {
        Self { attempts: 0, at: Instant::now() }
    }

    /// When the next attempt is due.
    pub(crate) fn due_at(&self) -> Instant {
        self.at
    }

    /// The next attempt is due later than the one before it was.
    pub(crate) fn postpone(&mut self) {
        let delay = retry::delays().nth(self.attempts.min(LONGEST_AFTER));
        self.at = Instant::now() + delay.unwrap_or(Duration::from_secs(1));
        self.attempts += 1;
    }
}
