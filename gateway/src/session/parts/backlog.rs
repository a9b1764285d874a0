//! The events of one socket that wait for its transport, bounded in bytes; and which messages it has not taken.

use crate::api::server_event::Rendered;
use std::collections::VecDeque;

/// How many bytes the engine may hold that its transport has not taken. An event that begins below it may exceed it.
pub(super) const IN_TRANSPORT: usize = 128 * 1024;
/// How many bytes may wait in all, the engine's included: about what a page of history may have in the worst case, and
/// a conversation's live events beside it.
const MAX_BYTES: usize = 1024 * 1024;

/// The messages that were handed over and that the transport has not taken.
#[derive(Default)]
pub(super) struct InFlight {
    /// How many bytes were handed over in all.
    bytes: usize,
    /// Sequences, and how many bytes had been handed over with each.
    messages: VecDeque<(u64, usize)>,
}

impl InFlight {
    /// An event was handed over, of so many bytes.
    pub(super) fn note(&mut self, seq: Option<u64>, bytes: usize) {
        self.bytes += bytes;
        self.messages.extend(seq.map(|seq| (seq, self.bytes)));
    }

    /// The transport holds so many bytes of what was handed over.
    pub(super) fn forget_taken(&mut self, in_transport: usize) {
        let taken = self.bytes.saturating_sub(in_transport);
        while self.messages.front().is_some_and(|(_, end)| *end <= taken) {
            self.messages.pop_front();
        }
    }

    /// The first message that it has not taken, while it holds so many bytes.
    pub(super) fn first(&self, in_transport: usize) -> Option<u64> {
        let taken = self.bytes.saturating_sub(in_transport);
        self.messages.iter().find(|(_, end)| *end > taken).map(|(seq, _)| *seq)
    }
}

/// Events that wait for the transport.
#[derive(Default)]
pub(super) struct Backlog {
    events: VecDeque<Rendered>,
    bytes: usize,
    overflowed: bool,
    /// The first message that waits, or was dropped.
    first_unsent: Option<u64>,
}

impl Backlog {
    /// Waits behind the others; `in_transport` bytes were handed over and not taken.
    pub(super) fn push(&mut self, event: Rendered, in_transport: usize) {
        self.first_unsent = self.first_unsent.or(event.seq);
        if self.overflowed {
            return;
        }
        self.bytes += event.bytes();
        self.events.push_back(event);
        if self.bytes + in_transport > MAX_BYTES {
            self.overflow();
        }
    }

    /// The next event, if the transport has room for one.
    pub(super) fn next(&self, in_transport: usize) -> Option<&Rendered> {
        self.events.front().filter(|_| in_transport < IN_TRANSPORT)
    }

    /// The next event was handed over.
    pub(super) fn pop(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.bytes();
            self.first_unsent = self.events.iter().find_map(|event| event.seq);
        }
    }

    /// Drops all, and takes no more.
    pub(super) fn overflow(&mut self) {
        self.overflowed = true;
        (self.events, self.bytes) = (VecDeque::new(), 0);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether more was to wait than may.
    pub(super) fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// The first message that waits, or was dropped.
    pub(super) fn first_unsent(&self) -> Option<u64> {
        self.first_unsent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_that_the_transport_took_is_not_unsent_though_nothing_was_handed_over_since() {
        let mut in_flight = InFlight::default();
        in_flight.note(Some(4), 100);
        in_flight.note(Some(5), 100);
        assert_eq!(
            [200, 100, 1, 0].map(|in_transport| in_flight.first(in_transport)),
            [Some(4), Some(5), Some(5), None]
        );
    }

    fn event(seq: Option<u64>, bytes: usize) -> Rendered {
        let payload = serde_json::value::to_raw_value(&"x".repeat(bytes)).expect("JSON");
        Rendered { name: "send_message_to_client", payload: Some(payload), seq }
    }

    #[test]
    fn the_transport_is_handed_only_what_it_has_room_for() {
        let mut backlog = Backlog::default();
        backlog.push(event(Some(1), 10), 0);
        assert!(backlog.next(IN_TRANSPORT).is_none());
        assert!(backlog.next(IN_TRANSPORT - 1).is_some());
        backlog.pop();
        assert!(backlog.is_empty() && backlog.next(0).is_none());
    }

    #[test]
    fn more_than_the_bound_overflows_and_keeps_no_memory() {
        let (mut backlog, part) = (Backlog::default(), 16 * 1024);
        let mut pushed = 0;
        while !backlog.overflowed {
            pushed += 1;
            backlog.push(event(Some(pushed), part), IN_TRANSPORT);
            assert!(backlog.bytes <= MAX_BYTES);
        }
        assert!((pushed as usize * part).abs_diff(MAX_BYTES - IN_TRANSPORT) < 2 * part, "{pushed} events");
        backlog.push(event(Some(pushed + 1), part), 0);
        assert_eq!((backlog.events.len(), backlog.first_unsent), (0, Some(1)));
    }

    #[test]
    fn a_message_is_in_flight_until_the_transport_has_taken_all_of_it() {
        let mut in_flight = InFlight::default();
        for (seq, bytes) in [(Some(1), 100), (None, 50), (Some(2), 100)] {
            in_flight.note(seq, bytes);
        }
        for (in_transport, first) in [(250, Some(1)), (151, Some(1)), (150, Some(2)), (1, Some(2)), (0, None)] {
            in_flight.forget_taken(in_transport);
            assert_eq!(in_flight.first(in_transport), first, "{in_transport}");
        }
    }

    proptest! {
        #[test]
        fn what_was_pushed_is_handed_over_in_order_or_counts_as_unsent(
            steps in prop::collection::vec((any::<bool>(), 0_usize..200_000, 0_usize..2 * IN_TRANSPORT), 0..60),
        ) {
            let (mut backlog, mut pushed, mut handed_over) = (Backlog::default(), 0, 0);
            for (push, bytes, in_transport) in steps {
                if push {
                    pushed += 1;
                    backlog.push(event(Some(pushed), bytes), in_transport);
                } else if let Some(next) = backlog.next(in_transport) {
                    prop_assert_eq!(next.seq, Some(handed_over + 1));
                    handed_over += 1;
                    backlog.pop();
                }
                let waiting = pushed > handed_over;
                prop_assert_eq!(backlog.first_unsent, waiting.then_some(handed_over + 1));
                prop_assert_eq!(backlog.bytes, backlog.events.iter().map(Rendered::bytes).sum::<usize>());
            }
        }
    }
}
