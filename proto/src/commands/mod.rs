//! The payloads on JetStream, and the replies to them.
//!
//! A command is JSON: `{"v":1,"at_ms":…,"type":"queue_requested",…}`. The golden files in `tests/golden` show each
//! one.

mod reply;
mod room;
mod user;

pub use reply::{Refusal, Reply, RoomView, UserState, UserView};
pub use room::{Liked, RoomCommand};
pub use user::{DisconnectCause, Queue, UserCommand};

use async_nats::Subject;
use serde::{Serialize, de::DeserializeOwned};

/// Version of the payloads. A consumer refuses any other.
pub const VERSION: u8 = 1;

/// A payload for a JetStream subject.
pub trait Command: Serialize + DeserializeOwned + Send + Sync {
    /// Where it is published.
    fn subject(&self) -> Subject;

    /// Its type in the payload, and in metrics.
    fn name(&self) -> &'static str;
}
