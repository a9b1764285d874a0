//! What surrounds a command on the wire.

use crate::commands::VERSION;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// Version, time of publication in milliseconds since 1970, and the command's own fields.
#[derive(Serialize, Deserialize)]
pub(super) struct Envelope<T> {
    v: u8,
    pub(super) at_ms: i64,
    #[serde(flatten)]
    pub(super) body: T,
}

/// A command as it is published.
#[must_use]
pub fn encode<C: Serialize>(command: &C) -> Bytes {
    json(&Envelope { v: VERSION, at_ms: now_ms(), body: command })
}

/// Milliseconds since 1970, by the clock of this host.
#[must_use]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::expect_used, reason = "our own types have string keys and no fallible serializer")]
pub(super) fn json<T: Serialize>(payload: &T) -> Bytes {
    serde_json::to_vec(payload).expect("our own types are JSON").into()
}
