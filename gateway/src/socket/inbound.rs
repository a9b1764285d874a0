//! The events of one client, in their order. While its session waits for the bus they are buffered, and those that want
//! an acknowledgement have one in time.

use crate::{
    api::{client_event::ClientEventName, error::ApiError},
    socket::acknowledgement::Acknowledgement,
};
use serde_json::Value;
use std::{collections::VecDeque, future::pending, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// How many events of one socket may wait, and as many while its session waits for the bus; a legacy client sends a
/// handful at once.
const DEPTH: usize = 64;

/// An event as it came.
pub(crate) struct InboundEvent {
    /// None for a name that the API does not have.
    pub(crate) name: Option<ClientEventName>,
    /// Its first argument.
    pub(crate) data: Option<Value>,
    /// How to acknowledge it.
    pub(crate) acknowledgement: Acknowledgement,
    /// When it came.
    pub(crate) arrived: Instant,
}

/// Where a socket's handlers put its events.
#[derive(Clone)]
pub(crate) struct InboundSender(mpsc::Sender<Box<InboundEvent>>);

/// Where a session takes them from.
pub(crate) struct InboundQueue {
    events: mpsc::Receiver<Box<InboundEvent>>,
    buffered: VecDeque<Box<InboundEvent>>,
    deadline: Duration,
}

/// A queue; what is buffered is rejected when `deadline` has passed since it came.
pub(crate) fn queue(deadline: Duration) -> (InboundSender, InboundQueue) {
    let (sender, events) = mpsc::channel(DEPTH);
    (InboundSender(sender), InboundQueue { events, buffered: VecDeque::new(), deadline })
}

impl InboundSender {
    /// Queues an event. A full queue means a flood: the event is rejected.
    pub(crate) fn push(&self, mut event: InboundEvent) {
        event.data = event.data.map(flat);
        match self.0.try_send(Box::new(event)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(event)) => {
                event.acknowledgement.reject(ApiError::TooMany(Duration::from_secs(1)));
            }
            Err(mpsc::error::TrySendError::Closed(event)) => event.acknowledgement.reject(ApiError::Unavailable),
        }
    }
}

impl InboundQueue {
    /// The next event; none when the socket is closed and all were taken.
    pub(crate) async fn next(&mut self) -> Option<Box<InboundEvent>> {
        match self.buffered.pop_front() {
            Some(buffered) => Some(buffered),
            None => self.events.recv().await,
        }
    }

    /// Runs something that may take long, for instance because the matcher has no database, and buffers events
    /// meanwhile.
    pub(crate) async fn buffer_while<T>(&mut self, running: impl Future<Output = T>) -> T {
        tokio::pin!(running);
        loop {
            let first = self.buffered.iter().position(|event| expires(event));
            let expires_at = first.map(|first| self.buffered[first].arrived + self.deadline);
            tokio::select! {
                biased;
                done = &mut running => return done,
                () = at(expires_at) => {
                    if let Some(event) = first.and_then(|first| self.buffered.remove(first)) {
                        event.acknowledgement.reject(ApiError::Unavailable);
                    }
                }
                Some(event) = self.events.recv(), if self.buffered.len() < DEPTH => self.buffered.push_back(event),
            }
        }
    }
}

/// Legacy clients get no acknowledgement and do not repeat what they sent; and leaving is meant for good.
fn expires(event: &InboundEvent) -> bool {
    event.name.is_some_and(ClientEventName::is_current)
}

/// Waits until then; for ever without an instant.
pub(crate) async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => pending().await,
    }
}

/// Without what no event has: lists, and objects in objects. They may take thirty times the memory of the text that
/// they came in.
fn flat(data: Value) -> Value {
    match data {
        Value::Array(_) => Value::Null,
        Value::Object(mut fields) => {
            for value in fields.values_mut().filter(|value| value.is_array() || value.is_object()) {
                *value = Value::Null;
            }
            Value::Object(fields)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_no_event_has_takes_no_memory() {
        for (data, expected) in [
            (json!(["a", ["b"]]), json!(null)),
            (json!({"a": 1, "b": [1], "c": {"d": 2}}), json!({"a": 1, "b": null, "c": null})),
            (json!("secret"), json!("secret")),
        ] {
            assert_eq!(flat(data), expected);
        }
    }
}
