//! Decisions of the chat-store without MongoDB, NATS and tokio: what may be applied together (`batch`), which sequence a
//! message gets (`numbering`), what is remembered of rooms (`rooms`), whether deliveries are missing (`position`), how
//! long a page of history is (`page`).

pub(crate) mod batch;
mod message;
pub(crate) mod numbering;
mod outcome;
pub(crate) mod page;
pub(crate) mod position;
pub(crate) mod rooms;

pub use batch::Sequenced;
pub(crate) use message::{MessageKey, NewMessage, NumberedMessage};
pub use outcome::Outcome;
