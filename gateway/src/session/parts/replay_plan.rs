//! What of a room's history a client is still to be sent, and in which form; and how a page of it is divided.

use crate::session::parts::retry_timer::RetryTimer;
use proto::Message;
use tokio::time::Instant;

/// How much text one `resumed` carries, in bytes; an event is longer by what JSON adds. Small enough that a slow socket
/// is closed for what it does not read, and not for the length of one part.
const PART_BYTES: usize = 64 * 1024;

/// The form in which history is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplayForm {
    /// As further `resumed`, for current clients that come back.
    Resumed,
    /// One by one, as if they came now; without the user's own.
    Messages {
        /// Whether the partner is connected is sent afterwards: legacy clients learn by it that they are back.
        then_partner: bool,
    },
}

/// The history that is still to be sent.
#[derive(Default)]
pub(crate) struct ReplayPlan(Option<Pending>);

struct Pending {
    form: ReplayForm,
    timer: RetryTimer,
}

impl ReplayPlan {
    /// History is to be sent from the delivery position on; what is planned already goes on in its form.
    pub(crate) fn begin(&mut self, form: ReplayForm) {
        if self.0.is_none() {
            self.0 = Some(Pending { form, timer: RetryTimer::due_now() });
        }
    }

    /// When the next part is due, given that there is room for it.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.0.as_ref().map(|pending| pending.timer.due_at())
    }

    /// In which form.
    pub(crate) fn form(&self) -> Option<ReplayForm> {
        self.0.as_ref().map(|pending| pending.form)
    }

    /// The history was not available: again later.
    pub(crate) fn retry(&mut self) {
        if let Some(pending) = &mut self.0 {
            pending.timer.postpone();
        }
    }

    /// All was sent, or is of no use any more.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }
}

/// Divides a page into parts of about [`PART_BYTES`] of text; one part without messages for an empty page.
pub(crate) fn parts(page: Vec<Message>) -> Vec<Vec<Message>> {
    let (mut parts, mut bytes) = (vec![Vec::new()], 0);
    for message in page {
        if bytes + message.content.len() > PART_BYTES && bytes > 0 {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += message.content.len();
        if let Some(part) = parts.last_mut() {
            part.push(message);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proto::{MessageId, RoomId, UserId};

    fn message(seq: u64, bytes: usize) -> Message {
        Message {
            id: MessageId::new(),
            room_id: RoomId::new(),
            author: UserId::new(),
            timestamp: 0.0,
            nonce: String::new(),
            content: "x".repeat(bytes),
            liked: false,
            seq,
        }
    }

    proptest! {
        #[test]
        fn parts_hold_all_in_order_and_each_is_bounded(lengths in prop::collection::vec(1_usize..16 * 1024, 0..40)) {
            let page: Vec<_> = (1..).zip(&lengths).map(|(seq, bytes)| message(seq, *bytes)).collect();
            let parts = parts(page.clone());
            prop_assert!(!parts.is_empty());
            for part in &parts {
                let bytes: usize = part.iter().map(|message| message.content.len()).sum();
                prop_assert!(bytes <= PART_BYTES && (!part.is_empty() || page.is_empty()));
            }
            prop_assert_eq!(parts.concat(), page);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_plan_goes_on_in_its_form_until_it_ends() {
        let mut plan = ReplayPlan::default();
        plan.begin(ReplayForm::Resumed);
        plan.begin(ReplayForm::Messages { then_partner: true });
        assert_eq!(plan.form(), Some(ReplayForm::Resumed));
        plan.retry();
        assert!(plan.due_at().is_some_and(|at| at > Instant::now()));
        plan.end();
        assert_eq!((plan.form(), plan.due_at()), (None, None));
    }
}
