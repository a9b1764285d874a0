//! Whom a session speaks for: its claim to the user, the entry in the registry of served connections, and the
//! subscription to the user's notifications. Dropping it ends all three.

use crate::presence::{
    claim::{Claim, Stamps},
    registry::{ServedGuard, ServedRegistry},
};
use async_nats::{Message, Subscriber};
use futures_util::StreamExt as _;
use proto::{ConnectionStamp, Register, UserId, presence::Verdict};
use std::future::pending;

/// A session's user.
pub(crate) struct Identity {
    user: UserId,
    claim: Claim,
    served: ServedGuard,
    notifications: Subscriber,
    /// The matcher has erased the user, and the claim with them: it is made again before anything else is requested.
    released: bool,
}

impl Identity {
    /// Begins to speak for a user whose notifications were subscribed to: registered before anything is published.
    pub(crate) fn new(user: UserId, notifications: Subscriber, stamps: &Stamps, registry: &ServedRegistry) -> Self {
        let claim = stamps.claim();
        let served = registry.register(user, claim.stamp().clone());
        Self { user, claim, served, notifications, released: false }
    }

    /// Who.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    /// The claim's name.
    pub(crate) fn stamp(&self) -> &ConnectionStamp {
        self.claim.stamp()
    }

    /// Whether the matcher has erased the user, and nothing was claimed since.
    pub(crate) fn is_released(&self) -> bool {
        self.released
    }

    /// The matcher has erased the user.
    pub(crate) fn release(&mut self) {
        self.released = true;
    }

    /// What follows from the matcher's register. A new stamp is taken at once.
    pub(crate) fn judge(&mut self, register: Option<&Register>) -> Verdict {
        let verdict = self.claim.judge(register);
        match &verdict {
            Verdict::Restamp { .. } => self.served.restamp(self.claim.stamp().clone()),
            Verdict::Held => self.released = false,
            Verdict::Unknown | Verdict::Superseded => {}
        }
        verdict
    }

    /// The registry's entry.
    pub(crate) fn served(&mut self) -> &mut ServedGuard {
        &mut self.served
    }

    /// The next notification, or a request to fetch the user's state. Cancel safe.
    pub(crate) async fn next(&mut self) -> Incoming {
        tokio::select! {
            biased;
            notification = self.notifications.next() => match notification {
                Some(notification) => Incoming::Notification(notification),
                // The client is closed: the process ends.
                None => pending().await,
            },
            () = self.served.resync_requested() => Incoming::Resync,
        }
    }
}

/// What the bus has for a session.
pub(crate) enum Incoming {
    /// A notification of its user.
    Notification(Message),
    /// Something may have been missed.
    Resync,
}
