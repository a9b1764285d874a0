//! How far a connection has been sent its room's messages: nothing twice, nothing left out.

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

#[cfg(test)]
mod tests {
    use super::*;

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
