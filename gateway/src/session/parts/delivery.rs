//! How far a connection was sent its room's messages: none twice, none left out; and how far they certainly arrived.

use proto::RoomId;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// The delivery position in one room, and the unconfirmed window before it.
#[derive(Debug)]
pub(crate) struct Delivery {
    room: Option<RoomId>,
    /// The last sequence that was sent.
    position: u64,
    /// There is more in the history than was sent.
    behind: bool,
    unconfirmed: UnconfirmedWindow,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is the next one.
    Send,
    /// It was sent before, or the history brings it.
    Skip,
    /// Some before it are missing: the history brings them.
    Gap,
}

impl Delivery {
    /// In no room. What was sent `patience` ago without the connection breaking has arrived.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { room: None, position: 0, behind: false, unconfirmed: UnconfirmedWindow::after(0, patience) }
    }

    /// Begins in a room after a sequence, unless it is in that room already; whether it does.
    pub(crate) fn follow(&mut self, room: Option<RoomId>, after_seq: u64) -> bool {
        let changed = self.room != room;
        if changed {
            let unconfirmed = UnconfirmedWindow::after(after_seq, self.unconfirmed.patience);
            *self = Self { room, position: after_seq, behind: false, unconfirmed };
        }
        changed
    }

    /// The last sequence that was sent.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// What to do with the message that has this sequence.
    pub(crate) fn next(&mut self, seq: u64) -> Next {
        match seq {
            _ if self.behind || seq <= self.position => Next::Skip,
            _ if seq == self.position + 1 => Next::Send,
            _ => {
                self.behind = true;
                Next::Gap
            }
        }
    }

    /// Messages up to this one are sent now, or are the user's own.
    pub(crate) fn advance(&mut self, seq: u64) {
        if seq > self.position {
            self.position = seq;
            self.unconfirmed.note(seq);
        }
    }

    /// From now on the history brings all messages.
    pub(crate) fn fall_behind(&mut self) {
        self.behind = true;
    }

    /// Whether the history has messages that were not sent.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    /// The history has brought all messages.
    pub(crate) fn caught_up(&mut self) {
        self.behind = false;
    }

    /// The last sequence that certainly reached the client, of what was sent before `unsent`; `silent` when its
    /// connection broke without a word, so that what was sent last may be lost.
    pub(crate) fn delivered_seq(&mut self, silent: bool, unsent: Option<u64>) -> u64 {
        let reached = if silent { self.unconfirmed.confirmed() } else { self.position };
        unsent.map_or(reached, |unsent| reached.min(unsent.saturating_sub(1)))
    }
}

/// Which messages were sent when. Legacy clients do not say what they have received; what was sent to a connection that
/// broke without a word, less than its patience ago, may never have arrived.
#[derive(Debug)]
struct UnconfirmedWindow {
    /// Sent longer ago than the patience.
    confirmed: u64,
    sent: VecDeque<(Instant, u64)>,
    patience: Duration,
}

impl UnconfirmedWindow {
    fn after(seq: u64, patience: Duration) -> Self {
        Self { confirmed: seq, sent: VecDeque::new(), patience }
    }

    fn note(&mut self, seq: u64) {
        self.confirmed();
        self.sent.push_back((Instant::now(), seq));
    }

    fn confirmed(&mut self) -> u64 {
        while let Some((at, seq)) = self.sent.front()
            && at.elapsed() >= self.patience
        {
            self.confirmed = *seq;
            self.sent.pop_front();
        }
        self.confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PATIENCE: Duration = Duration::from_secs(25);

    fn delivery(after_seq: u64) -> Delivery {
        let mut delivery = Delivery::new(PATIENCE);
        delivery.follow(Some(RoomId::new()), after_seq);
        delivery
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_just_before_a_connection_broke_may_not_have_arrived() {
        let mut delivery = delivery(2);
        delivery.advance(3);
        tokio::time::advance(Duration::from_secs(20)).await;
        delivery.advance(4);
        assert_eq!((delivery.delivered_seq(true, None), delivery.delivered_seq(false, None)), (2, 4));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(delivery.delivered_seq(true, None), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_transport_has_not_taken_has_not_arrived() {
        let mut delivery = delivery(0);
        delivery.advance(5);
        tokio::time::advance(2 * PATIENCE).await;
        assert_eq!(delivery.delivered_seq(false, Some(4)), 3);
        assert_eq!(delivery.delivered_seq(true, Some(4)), 3);
        assert_eq!(delivery.delivered_seq(false, Some(9)), 5);
    }

    #[test]
    fn a_new_room_begins_at_its_beginning_and_the_same_one_goes_on() {
        let (mut delivery, room) = (Delivery::new(PATIENCE), RoomId::new());
        assert!(delivery.follow(Some(room), 7));
        delivery.advance(8);
        assert!(!delivery.follow(Some(room), 0));
        assert_eq!(delivery.position(), 8);
        delivery.fall_behind();
        assert!(delivery.follow(Some(RoomId::new()), 0));
        assert_eq!((delivery.position(), delivery.is_behind()), (0, false));
    }

    proptest! {
        #[test]
        fn each_message_is_sent_once_and_in_order(seqs in prop::collection::vec(1_u64..8, 0..40)) {
            let (mut delivery, mut sent) = (delivery(0), Vec::new());
            for seq in seqs {
                match delivery.next(seq) {
                    Next::Send => {
                        sent.push(seq);
                        delivery.advance(seq);
                    }
                    Next::Skip => {}
                    Next::Gap => {
                        // The history has all up to this one.
                        sent.extend(delivery.position() + 1..=seq);
                        delivery.advance(seq);
                        delivery.caught_up();
                    }
                }
            }
            let expected: Vec<u64> = (1..=delivery.position()).collect();
            prop_assert_eq!(sent, expected);
        }
    }
}
