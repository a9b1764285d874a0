//! Where this process is among the deliveries of its partition, and whether any is missing.
//!
//! The server numbers the deliveries of a consumer: 1, 2, 3, … A number that is missing went to another process, or was
//! lost on the way to this one. That command is delivered again only after younger ones, which would invert the order of
//! its author. Therefore the consumer is reset then: deliveries start over at 1, with the first command that is still in
//! the stream. Number 1 is always safe to go on with. The pin names the time during which the server delivers to this
//! process, so that the numbers of another time are not taken for a continuation.

/// What is known of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The pin of the process that it went to.
    pub(crate) pin: Option<String>,
    /// The number of the delivery.
    pub(crate) number: u64,
    /// How often this command was delivered.
    pub(crate) attempt: i64,
    /// How many commands had not been delivered at that time.
    pub(crate) pending: u64,
}

/// How a delivery follows on the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    /// Deliveries start over.
    StartsOver,
    /// It is the next one.
    Continues,
    /// Others are missing before it: the consumer has to be reset.
    Gap,
    /// It follows on one that was dropped because of a gap, and is dropped likewise.
    Dropped,
}

/// The last delivery of this process.
#[derive(Debug, Default)]
pub(crate) struct Position {
    last: Option<Last>,
    dropping: bool,
}

#[derive(Debug)]
struct Last {
    pin: Option<String>,
    number: u64,
    /// Up to this number, commands may have been applied by an earlier owner of the partition.
    backlog: u64,
}

impl Position {
    /// Moves on to a delivery.
    pub(crate) fn advance(&mut self, mark: &Mark) -> Follows {
        let next = self.last.as_ref().is_some_and(|last| last.pin == mark.pin && last.number + 1 == mark.number);
        let backlog = match &self.last {
            _ if mark.number == 1 => mark.pending + 1,
            Some(last) => last.backlog,
            None => 0,
        };
        self.last = Some(Last { pin: mark.pin.clone(), number: mark.number, backlog });
        let follows = match (mark.number, next, self.dropping) {
            (1, ..) => Follows::StartsOver,
            (_, true, false) => Follows::Continues,
            (_, true, true) => Follows::Dropped,
            (_, false, _) => Follows::Gap,
        };
        self.dropping = matches!(follows, Follows::Gap | Follows::Dropped);
        follows
    }

    /// Whether the last delivery has to be dropped: it is delivered again after the reset.
    pub(crate) fn is_dropping(&self) -> bool {
        self.dropping
    }

    /// Whether the command of the last delivery may have been applied before.
    pub(crate) fn maybe_applied(&self, mark: &Mark) -> bool {
        mark.attempt > 1 || self.last.as_ref().is_some_and(|last| mark.number <= last.backlog)
    }

    /// The pin of the last delivery.
    pub(crate) fn pin(&self) -> Option<&str> {
        self.last.as_ref()?.pin.as_deref()
    }

    /// What was delivered last was not applied: the next delivery continues nothing.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::{Follows::*, *};

    fn mark((pin, number): (&str, u64)) -> Mark {
        Mark { pin: Some(pin.to_owned()), number, attempt: 1, pending: 0 }
    }

    #[test]
    fn missing_deliveries_are_noticed() {
        type Case = (&'static str, &'static [(&'static str, u64)], &'static [Follows]);
        let cases: [Case; 7] = [
            ("a fresh consumer", &[("a", 1), ("a", 2)], &[StartsOver, Continues]),
            ("a takeover", &[("a", 5), ("a", 6), ("a", 1), ("a", 2)], &[Gap, Dropped, StartsOver, Continues]),
            ("one was lost", &[("a", 1), ("a", 3), ("a", 1)], &[StartsOver, Gap, StartsOver]),
            ("others were delivered elsewhere", &[("a", 1), ("b", 4)], &[StartsOver, Gap]),
            ("the numbers fit by chance", &[("a", 1), ("b", 2)], &[StartsOver, Gap]),
            ("number 1 was lost after a reset", &[("a", 7), ("a", 8), ("a", 2)], &[Gap, Dropped, Gap]),
            ("another process has reset it", &[("a", 1), ("a", 2), ("c", 1)], &[StartsOver, Continues, StartsOver]),
        ];
        for (name, deliveries, expected) in cases {
            let mut position = Position::default();
            let follows: Vec<Follows> = deliveries.iter().map(|one| position.advance(&mark(*one))).collect();
            assert_eq!(follows, expected, "{name}");
        }
    }

    #[test]
    fn what_was_there_at_the_start_and_what_is_delivered_again_may_have_been_applied() {
        let mut position = Position::default();
        let maybe = [(1, 1, 2), (2, 1, 1), (3, 1, 0), (4, 1, 0), (5, 2, 0)].map(|(number, attempt, pending)| {
            let mark = Mark { pin: None, number, attempt, pending };
            position.advance(&mark);
            position.maybe_applied(&mark)
        });
        assert_eq!(maybe, [true, true, true, false, true]);
    }

    #[test]
    fn after_a_failure_nothing_continues() {
        let mut position = Position::default();
        position.advance(&mark(("a", 1)));
        assert_eq!(position.pin(), Some("a"));
        position.forget();
        assert_eq!(position.pin(), None);
        assert_eq!(position.advance(&mark(("a", 2))), Gap);
    }
}
