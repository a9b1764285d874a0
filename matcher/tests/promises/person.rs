//! A user of the matcher, as their gateway sees them.

use crate::world::soon;
use futures_util::StreamExt as _;
use proto::{ConnectionStamp, Notification, RoomView, UserId};

/// A user, and the notifications that their gateway receives.
pub(crate) struct Person {
    pub(crate) id: UserId,
    /// The connection that was opened last.
    pub(crate) stamp: ConnectionStamp,
    pub(crate) notifications: async_nats::Subscriber,
}

impl Person {
    /// The next notification.
    pub(crate) async fn next(&mut self) -> Notification {
        let message = soon(self.notifications.next()).await.expect("a notification");
        serde_json::from_slice(&message.payload).expect("a notification")
    }

    /// The next notification that is of interest; others are skipped.
    pub(crate) async fn wait_for<T>(&mut self, interest: impl Fn(Notification) -> Option<T>) -> T {
        loop {
            if let Some(found) = interest(self.next().await) {
                return found;
            }
        }
    }

    /// The next match.
    pub(crate) async fn matched(&mut self) -> RoomView {
        self.wait_for(|one| if let Notification::Matched(room) = one { Some(room) } else { None }).await
    }

    /// Whether the partner is connected, the next time that this is published.
    pub(crate) async fn partner_connected(&mut self) -> bool {
        self.wait_for(|one| if let Notification::Partner { connected } = one { Some(connected) } else { None }).await
    }

    /// Why the room ended.
    pub(crate) async fn ended(&mut self) -> proto::notification::EndReason {
        self.wait_for(|one| if let Notification::Ended { reason } = one { Some(reason) } else { None }).await
    }
}
