//! What a session is composed of: each part owns its state and knows nothing of the session.

pub(crate) mod backlog;
pub(crate) mod client;
pub(crate) mod delivery;
pub(crate) mod identity;
pub(crate) mod location;
pub(crate) mod outbox;
pub(crate) mod outcome;
pub(crate) mod replay_plan;
pub(crate) mod requeue;
pub(crate) mod retry_timer;
