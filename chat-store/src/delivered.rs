//! Notices whether this process saw all deliveries of its partition.
//!
//! The server counts the deliveries of a consumer: 1, 2, 3, … A number that is missing went to
//! another process, or was lost on the way to this one. Such commands come again only later,
//! after younger ones, so that an author's order would be inverted. Until a command comes that
//! nobody has had before, there may be more of them.

/// What is known of one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The number of the delivery.
    pub(crate) delivery: u64,
    /// The command's place in the stream.
    pub(crate) sequence: u64,
    /// Which delivery of this command it is.
    pub(crate) attempt: i64,
}

/// How far this process has seen all deliveries.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    last: u64,
    complete: bool,
}

impl Seen {
    /// Takes note of a batch. If deliveries are missing, answers the place in the stream below
    /// which commands have to be applied before it.
    pub(crate) fn note(&mut self, batch: &[Mark]) -> Option<u64> {
        let mut below = None;
        for mark in batch {
            if mark.delivery != self.last.wrapping_add(1) {
                (self.complete, below) = (false, None);
            }
            self.last = mark.delivery;
            if !self.complete && mark.attempt == 1 {
                // Commands are first delivered in the stream's order: what is younger comes here.
                (self.complete, below) = (true, Some(mark.sequence));
            }
        }
        if self.complete { below } else { batch.iter().map(|mark| mark.sequence).max() }
    }

    /// What was noted last was not applied after all.
    pub(crate) fn lost(&mut self) {
        self.complete = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark((delivery, sequence, attempt): (u64, u64, i64)) -> Mark {
        Mark { delivery, sequence, attempt }
    }

    #[test]
    fn missing_deliveries_are_noticed() {
        type Case = (&'static str, &'static [&'static [(u64, u64, i64)]], &'static [Option<u64>]);
        let cases: [Case; 7] = [
            ("the first batch of a process", &[&[(1, 10, 1), (2, 11, 1)]], &[Some(10)]),
            ("an unbroken row", &[&[(5, 10, 1)], &[(6, 11, 1), (7, 15, 1)]], &[Some(10), None]),
            ("a command that comes again, to the same process", &[&[(5, 10, 1)], &[(6, 10, 2)]], &[Some(10), None]),
            ("deliveries went elsewhere", &[&[(5, 10, 1)], &[(8, 13, 1)]], &[Some(10), Some(13)]),
            ("one was lost inside a batch", &[&[(5, 10, 1), (7, 12, 1), (8, 13, 1)]], &[Some(12)]),
            ("only old ones come at first", &[&[(9, 7, 2), (10, 9, 2)], &[(11, 20, 1)]], &[Some(9), Some(20)]),
            ("old and new are mixed", &[&[(9, 30, 1), (10, 7, 2)]], &[Some(30)]),
        ];
        for (name, batches, expected) in cases {
            let mut seen = Seen::default();
            let noted: Vec<_> =
                batches.iter().map(|batch| seen.note(&batch.iter().copied().map(mark).collect::<Vec<_>>())).collect();
            assert_eq!(noted, expected, "{name}");
        }
    }

    #[test]
    fn a_batch_that_was_lost_is_missing() {
        let mut seen = Seen::default();
        seen.note(&[mark((1, 10, 1))]);
        seen.lost();
        assert_eq!(seen.note(&[mark((2, 11, 1))]), Some(11));
    }
}
