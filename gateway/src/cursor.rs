//! How far a connection has been sent its room's messages: nothing twice, nothing left out; and
//! how far they certainly arrived.

use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// The last room sequence that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor(u64);

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is the next one.
    Send,
    /// It was sent before.
    Skip,
    /// Some before it are missing: ask the history.
    Gap,
}

impl Cursor {
    /// Everything up to `seq` was sent.
    pub(crate) fn after(seq: u64) -> Self {
        Self(seq)
    }

    /// The last one that was sent.
    pub(crate) fn seq(self) -> u64 {
        self.0
    }

    /// What to do with the message that has this sequence.
    pub(crate) fn next(self, seq: u64) -> Next {
        match seq {
            _ if seq <= self.0 => Next::Skip,
            _ if seq == self.0 + 1 => Next::Send,
            _ => Next::Gap,
        }
    }

    /// It was sent.
    pub(crate) fn advance(&mut self, seq: u64) {
        self.0 = self.0.max(seq);
    }
}

/// When which messages were sent. Old clients do not say what they have seen; what was sent to a
/// connection that broke without a word, less than its patience ago, may never have arrived.
#[derive(Debug)]
pub(crate) struct Trail {
    /// Sent longer ago than the patience.
    arrived: u64,
    sent: VecDeque<(Instant, u64)>,
    patience: Duration,
}

impl Trail {
    /// Everything up to `seq` has arrived.
    pub(crate) fn after(seq: u64, patience: Duration) -> Self {
        Self { arrived: seq, sent: VecDeque::new(), patience }
    }

    /// This one is sent now.
    pub(crate) fn note(&mut self, seq: u64) {
        self.settle();
        self.sent.push_back((Instant::now(), seq));
    }

    /// The last sequence that has certainly arrived.
    pub(crate) fn arrived(&mut self) -> u64 {
        self.settle();
        self.arrived
    }

    fn settle(&mut self) {
        while let Some((at, seq)) = self.sent.front()
            && at.elapsed() >= self.patience
        {
            self.arrived = *seq;
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_just_before_a_connection_broke_may_not_have_arrived() {
        let mut trail = Trail::after(2, Duration::from_secs(25));
        trail.note(3);
        tokio::time::advance(Duration::from_secs(20)).await;
        trail.note(4);
        assert_eq!(trail.arrived(), 2);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(trail.arrived(), 3);
    }

    #[test]
    fn each_sequence_is_sent_once_and_in_order() {
        let mut cursor = Cursor::after(2);
        for (seq, next) in [(2, Next::Skip), (4, Next::Gap), (3, Next::Send), (3, Next::Skip), (4, Next::Send)] {
            assert_eq!(cursor.next(seq), next, "{seq} after {}", cursor.seq());
            if next == Next::Send {
                cursor.advance(seq);
            }
        }
    }
}
