//! What the chat-store does beside consuming commands: replies to requests for history, and sweeps.

pub(crate) mod history;
pub(crate) mod sweep;
