//! What becomes of a command that could not be applied: one policy for all consumers.
//!
//! | failure | what follows |
//! |---|---|
//! | a server is unavailable, or was too slow ([`is_transient`]) | retried in place until it works, with progress signals to NATS |
//! | the command's own, fewer than [`MAX_FAILURES`] times | retried in place |
//! | the command's own, [`MAX_FAILURES`] times | dead-lettered, replied to with `failed` |
//! | the process stops | handed back, so that another consumer gets it at once |
//!
//! A refusal is no failure: it is the result.

pub use crate::bus::backoff::{delays, until_ok};

use crate::{bus::client::BusError, timing};
use async_nats::jetstream::{self, AckKind, context::PublishError, stream::PurgeError};
use std::convert::Infallible;

/// After so many failures of its own a command is dead-lettered.
pub const MAX_FAILURES: u32 = 5;

/// Whether a server is to blame: the same command will work later.
#[must_use]
pub fn is_transient(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<BusError>()
            || cause.is::<PublishError>()
            || cause.is::<PurgeError>()
            || cause.is::<tokio::time::error::Elapsed>()
            || is_transient_in_mongodb(cause)
    })
}

#[cfg(feature = "mongodb")]
fn is_transient_in_mongodb(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref().is_some_and(crate::process::database::errors::is_transient)
}

#[cfg(not(feature = "mongodb"))]
fn is_transient_in_mongodb(_cause: &(dyn std::error::Error + 'static)) -> bool {
    false
}

/// Works on something, and signals progress on these deliveries meanwhile, so that NATS does not deliver them to
/// another consumer.
pub async fn in_progress<T>(deliveries: &[&jetstream::Message], work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        never = signal_progress(deliveries) => match never {},
    }
}

async fn signal_progress(deliveries: &[&jetstream::Message]) -> Infallible {
    loop {
        tokio::time::sleep(timing::PINNED_TIMEOUT / 3).await;
        for delivery in deliveries {
            if let Err(error) = delivery.ack_with(AckKind::Progress).await {
                // It is delivered twice then, which does no harm.
                tracing::debug!(%error, "progress not signalled");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_to_blame_for_its_own_failures_only() {
        let unavailable = anyhow::Error::new(BusError::Unavailable).context("publishing");
        assert!(is_transient(&unavailable));
        assert!(!is_transient(&anyhow::anyhow!("nonsense")));
    }
}
