//! Somebody who uses the matcher, as their gateway sees them.

use crate::world::soon;
use futures_util::StreamExt as _;
use proto::{Live, RoomView, UserId};

/// Somebody, and what their gateway hears of them.
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) epoch: u64,
    pub(crate) events: async_nats::Subscriber,
}

impl Person {
    /// The next event.
    pub(crate) async fn hears(&mut self) -> Live {
        let event = soon(self.events.next()).await.expect("an event");
        serde_json::from_slice(&event.payload).expect("a live event")
    }

    /// The next event that is of interest; others are skipped.
    pub(crate) async fn hears_of<T>(&mut self, interest: impl Fn(Live) -> Option<T>) -> T {
        loop {
            if let Some(found) = interest(self.hears().await) {
                return found;
            }
        }
    }

    /// The next match.
    pub(crate) async fn matched(&mut self) -> RoomView {
        self.hears_of(|live| if let Live::Matched(room) = live { Some(room) } else { None }).await
    }

    /// Whether the partner is there, the next time that this is told.
    pub(crate) async fn partner_connected(&mut self) -> bool {
        self.hears_of(|live| if let Live::Partner { connected } = live { Some(connected) } else { None }).await
    }
}
