//! The acknowledgement of a client's event, for clients that requested one.

use crate::api::error::{ApiError, Envelope, count_rejection};
use serde::Serialize;
use socketioxide::extract::AckSender;

/// Sends it once; dropping it sends nothing.
pub(crate) struct Acknowledgement(AckSender);

impl Acknowledgement {
    /// Of an event.
    pub(crate) fn new(sender: AckSender) -> Self {
        Self(sender)
    }

    /// Sends the result in the envelope, and counts a rejection.
    pub(crate) fn send<T: Serialize>(self, result: Result<T, ApiError>) {
        if let Err(error) = &result {
            count_rejection(error);
        }
        if let Err(error) = self.0.send(&Envelope::of(result)) {
            tracing::debug!(%error, "acknowledgement not sent; the client's time-out covers it");
        }
    }

    /// Sends a rejection.
    pub(crate) fn reject(self, error: ApiError) {
        self.send::<()>(Err(error));
    }
}
