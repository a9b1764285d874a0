//! How many bytes a socket's transport has not taken yet.
//!
//! Found in the source of engineioxide 0.17 and socketioxide 0.18: `emit` puts a packet into a channel of 128 packets,
//! however long they are, and tells nothing of what becomes of it. The writer of a WebSocket takes packets from the
//! channel while TCP takes bytes (tungstenite holds back 128 kB at most); a poll takes them into one response. So both
//! ends are counted: what is handed to the channel ([`Flow::hand_over`]), and what leaves by TCP
//! ([`crate::http::connection`]) or by a poll's response ([`crate::http::transports`]) ([`Flow::take`]). Frames, pings
//! and acknowledgements are taken without having been handed over: the difference is a little too small while it is not
//! zero, and begins again whenever it is.

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The bytes of one socket on their way out.
#[derive(Default)]
pub(crate) struct Flow {
    counters: Mutex<Counters>,
    progress: Notify,
}

#[derive(Default)]
struct Counters {
    handed_over: u64,
    taken: u64,
}

impl Flow {
    /// So many bytes were emitted.
    pub(crate) fn hand_over(&self, bytes: usize) {
        let mut counters = self.counters.lock();
        counters.handed_over = counters.handed_over.max(counters.taken) + bytes as u64;
    }

    /// The transport took so many bytes.
    pub(crate) fn take(&self, bytes: usize) {
        self.counters.lock().taken += bytes as u64;
        self.progress.notify_one();
    }

    /// How many bytes were emitted and not taken.
    pub(crate) fn in_transport(&self) -> usize {
        let counters = self.counters.lock();
        usize::try_from(counters.handed_over.saturating_sub(counters.taken)).unwrap_or(usize::MAX)
    }

    /// Waits until the transport has taken something since the last wait. For one task at a time.
    pub(crate) async fn progress(&self) {
        self.progress.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[test]
    fn what_is_taken_without_having_been_emitted_hides_nothing_that_is_emitted_later() {
        let flow = Flow::default();
        flow.take(1000);
        flow.hand_over(300);
        assert_eq!(flow.in_transport(), 300);
        flow.take(100);
        flow.hand_over(50);
        assert_eq!(flow.in_transport(), 250);
        flow.take(400);
        assert_eq!(flow.in_transport(), 0);
    }

    #[test]
    fn progress_that_was_made_before_the_wait_is_not_missed() {
        let flow = Flow::default();
        assert_eq!(flow.progress().now_or_never(), None);
        flow.take(1);
        assert_eq!(flow.progress().now_or_never(), Some(()));
        assert_eq!(flow.progress().now_or_never(), None);
    }
}
