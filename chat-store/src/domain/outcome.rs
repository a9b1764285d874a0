//! The result of a command.

use proto::{Message, MessageId, Refusal, UserId};

/// The result of a command.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The message is stored, by this command or an earlier one.
    Stored {
        /// As it is stored.
        message: Message,
        /// Whom to notify.
        members: Vec<UserId>,
    },
    /// The message is liked.
    Liked {
        /// Which.
        message: MessageId,
        /// By whom.
        by: UserId,
        /// Whom to notify; empty when it was liked already and they were notified then.
        members: Vec<UserId>,
    },
    /// Nothing of the room is left.
    Erased,
    /// It changed nothing.
    Refused(Refusal),
    /// It failed by its own fault again and again.
    Failed,
}
