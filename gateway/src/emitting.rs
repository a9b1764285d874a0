//! What a session says to its client. A socket that is full is tried again later, so that no change of state is lost.

use crate::{
    names::Told,
    numbers,
    session::{CATCH_UP, NOTHING, Session},
};
use serde::Serialize;
use serde_json::Value;
use socketioxide::{SendError, SocketError};
use tokio::time::Instant;

/// Events that are kept for a socket that does not keep up: more than a conversation's changes
/// of state in the time until its connection counts as lost.
const MAX_UNSENT: usize = 64;

impl Session {
    /// Emits an event. One that a full socket does not take is kept for later.
    pub(crate) fn emit<T: Serialize + ?Sized>(&mut self, event: Told, payload: &T) {
        if self.unsent.is_empty() && self.try_emit(event, payload) {
            return;
        }
        if !self.socket.connected() {
            return;
        }
        match serde_json::to_value(payload) {
            Ok(payload) if self.unsent.len() < MAX_UNSENT => self.unsent.push_back((event, payload)),
            // A client that is so far behind learns the rest when it comes back.
            _ => metrics::counter!(numbers::EVENTS_DROPPED).increment(1),
        }
        self.retry_at = Some(Instant::now() + CATCH_UP);
    }

    /// Emits an event now or not at all.
    pub(crate) fn try_emit<T: Serialize + ?Sized>(&self, event: Told, payload: &T) -> bool {
        let _emitting = tracing::debug_span!("emit", socket.event = event.name()).entered();
        match self.socket.emit(event.name(), payload) {
            Ok(()) => true,
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                metrics::counter!(numbers::SLOW_SOCKETS).increment(1);
                false
            }
            // Its disconnect is on the way.
            Err(_closed) => false,
        }
    }

    /// Tries again what a full socket did not take.
    pub(crate) async fn send_the_rest(&mut self) {
        self.retry_at = None;
        while let Some((event, payload)) = self.unsent.front() {
            let taken = match payload {
                // The events without an argument.
                Value::Array(nothing) if nothing.is_empty() => self.try_emit(*event, &NOTHING),
                payload => self.try_emit(*event, payload),
            };
            if !taken {
                self.retry_at = Some(Instant::now() + CATCH_UP);
                return;
            }
            self.unsent.pop_front();
        }
        self.catch_up().await;
    }
}
