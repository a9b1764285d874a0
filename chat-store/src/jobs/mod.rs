//! What the chat-store does apart from consuming commands: replies to requests for history, and sweeps.

pub(crate) mod history;
pub(crate) mod sweep;
