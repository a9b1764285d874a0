//! Everything that one socket is sent, in one order and bounded in bytes. Nothing overtakes anything, and nothing is
//! dropped alone: a socket that does not take it is closed, and its client learns the rest when it is back.
//!
//! Only so much is handed to the engine at a time as its transport soon takes ([`crate::http::flow`] says how that is
//! known). History is sent in parts by [`crate::session::replay`], each when there is room.

use crate::{
    api::server_event::{Rendered, ServerEvent},
    http::flow::Flow,
};
use socketioxide::{SendError, SocketError, extract::SocketRef};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How many bytes the engine may hold that its transport has not taken. An event that begins below it may exceed it.
const IN_TRANSPORT: usize = 128 * 1024;
/// How many bytes may wait in all, the engine's included: about what a page of history may have in the worst case, and
/// a conversation's live events beside it.
const MAX_BYTES: usize = 1024 * 1024;

/// The outgoing events of one socket.
pub(crate) struct Outbox {
    socket: SocketRef,
    flow: Arc<Flow>,
    backlog: Backlog,
    in_flight: InFlight,
    patience: Duration,
    blocked_since: Option<Instant>,
}

impl Outbox {
    /// Empty. A socket that takes nothing for `patience` does not read.
    pub(crate) fn new(socket: SocketRef, flow: Arc<Flow>, patience: Duration) -> Self {
        Self {
            socket,
            flow,
            backlog: Backlog::default(),
            in_flight: InFlight::default(),
            patience,
            blocked_since: None,
        }
    }

    /// Sends an event, now or after those before it.
    pub(crate) fn push(&mut self, event: &ServerEvent) {
        let _span = tracing::debug_span!("emit", socket.event = event.name()).entered();
        match event.render() {
            Ok(rendered) => self.backlog.push(rendered, self.flow.in_transport()),
            Err(error) => tracing::error!(%error, socket.event = event.name(), "event not serializable"),
        }
        self.hand_over();
    }

    /// Hands over what the transport has room for.
    fn hand_over(&mut self) {
        while let Some(event) = self.backlog.next(self.flow.in_transport()) {
            if !emit(&self.socket, event) {
                break;
            }
            self.flow.hand_over(event.bytes());
            self.in_flight.note(event.seq, event.bytes());
            self.backlog.pop();
        }
        self.in_flight.forget_taken(self.flow.in_transport());
        self.blocked_since = if self.has_room() { None } else { self.blocked_since.or_else(|| Some(Instant::now())) };
    }

    /// Whether a part of the history may be sent: everything before it was handed over, and most of it taken.
    pub(crate) fn has_room(&self) -> bool {
        self.backlog.is_empty() && self.flow.in_transport() < IN_TRANSPORT / 2
    }

    /// Waits until the transport has taken something; [`Self::resume`] follows.
    pub(crate) async fn progress(&self) {
        self.flow.progress().await;
    }

    /// Hands over what the transport has room for, after it has taken something.
    pub(crate) fn resume(&mut self) {
        self.blocked_since = None;
        self.hand_over();
    }

    /// Whether it waits for the transport to take something.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.has_room()
    }

    /// When a socket that takes nothing has to be closed; none while it takes what it is sent.
    pub(crate) fn gives_up_at(&self) -> Option<Instant> {
        self.blocked_since.map(|since| since + self.patience)
    }

    /// Whether more was to be sent than may wait: the socket has to be closed.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.backlog.overflowed
    }

    /// Drops what waits, since the socket is closed without it.
    pub(crate) fn give_up(&mut self) {
        self.backlog.overflow();
    }

    /// The first message that the transport may not have taken.
    pub(crate) fn first_unsent(&self) -> Option<u64> {
        self.in_flight.first().or(self.backlog.first_unsent)
    }

    /// The socket.
    pub(crate) fn socket(&self) -> &SocketRef {
        &self.socket
    }
}

/// False when the engine's channel of packets is full.
fn emit(socket: &SocketRef, event: &Rendered) -> bool {
    let emitted = match &event.payload {
        Some(payload) => socket.emit(event.name, payload),
        // `()` would be an argument, null.
        None => socket.emit(event.name, &[(); 0]),
    };
    // Of a closed socket the disconnect is on its way: what is emitted meanwhile is unsent.
    !matches!(emitted, Err(SendError::Socket(SocketError::InternalChannelFull)))
}

/// The messages that were handed over and that the transport has not taken.
#[derive(Default)]
struct InFlight {
    /// How many bytes were handed over in all.
    bytes: usize,
    /// Sequences, and how many bytes had been handed over with each.
    messages: VecDeque<(u64, usize)>,
}

impl InFlight {
    fn note(&mut self, seq: Option<u64>, bytes: usize) {
        self.bytes += bytes;
        self.messages.extend(seq.map(|seq| (seq, self.bytes)));
    }

    fn forget_taken(&mut self, in_transport: usize) {
        let taken = self.bytes.saturating_sub(in_transport);
        while self.messages.front().is_some_and(|(_, end)| *end <= taken) {
            self.messages.pop_front();
        }
    }

    fn first(&self) -> Option<u64> {
        self.messages.front().map(|(seq, _)| *seq)
    }
}

/// Events that wait for the transport.
#[derive(Default)]
struct Backlog {
    events: VecDeque<Rendered>,
    bytes: usize,
    overflowed: bool,
    /// The first message that waits, or was dropped.
    first_unsent: Option<u64>,
}

impl Backlog {
    fn push(&mut self, event: Rendered, in_transport: usize) {
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
    fn next(&self, in_transport: usize) -> Option<&Rendered> {
        self.events.front().filter(|_| in_transport < IN_TRANSPORT)
    }

    fn pop(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.bytes -= event.bytes();
            self.first_unsent = self.events.iter().find_map(|event| event.seq);
        }
    }

    fn overflow(&mut self) {
        self.overflowed = true;
        (self.events, self.bytes) = (VecDeque::new(), 0);
    }

    fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            assert_eq!(in_flight.first(), first, "{in_transport}");
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
