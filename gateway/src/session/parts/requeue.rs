//! When a session requests the queue again for a client that waits and whose place was lost. Between two attempts the
//! client is heard, who may want to leave.

use crate::session::parts::retry_timer::RetryTimer;
use proto::Queue;
use tokio::time::Instant;

/// The next attempt, if there is one.
#[derive(Default)]
pub(crate) struct Requeue(Option<Attempt>);

struct Attempt {
    queue: Queue,
    timer: RetryTimer,
}

impl Requeue {
    /// The first attempt is due now, unless there were others already.
    pub(crate) fn begin(&mut self, queue: Queue) {
        if self.0.as_ref().is_none_or(|attempt| attempt.queue != queue) {
            self.0 = Some(Attempt { queue, timer: RetryTimer::due_now() });
        }
    }

    /// When the next attempt is due.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.0.as_ref().map(|attempt| attempt.timer.due_at())
    }

    /// The queue to request now; the attempt after this one is due later.
    pub(crate) fn take_attempt(&mut self) -> Option<Queue> {
        let attempt = self.0.as_mut()?;
        attempt.timer.postpone();
        Some(attempt.queue)
    }

    /// No further attempt: it has worked, or is of no use any more.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn attempts_go_on_at_growing_distances_until_they_are_ended() {
        let mut requeue = Requeue::default();
        assert_eq!((requeue.due_at(), requeue.take_attempt()), (None, None));
        requeue.begin(Queue::Vent);
        assert_eq!(requeue.due_at(), Some(Instant::now()));
        for _ in 0..10 {
            assert_eq!(requeue.take_attempt(), Some(Queue::Vent));
            let due = requeue.due_at().expect("another attempt");
            assert!(due > Instant::now() && due <= Instant::now() + Duration::from_secs(2));
            requeue.begin(Queue::Vent);
            assert_eq!(requeue.due_at(), Some(due), "the same wish does not hurry");
        }
        requeue.end();
        assert_eq!(requeue.due_at(), None);
    }
}
