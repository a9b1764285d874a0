//! What every request and every session of this gateway shares: handles, which nothing replaces.

use crate::{
    api::error::ApiError,
    bus::{
        author_locks::AuthorLocks,
        backend::{Backend, Membership},
    },
    config::Config,
    http::{rate_limit::RateLimits, transport_closer::TransportCloser, transports::Transports},
    presence::{claim::Stamps, registry::ServedRegistry},
    secrets::Secrets,
    session::registry::SessionRegistry,
};
use proto::{GatewayId, UserId, UserState, admin::GatewayReport, notification::QueueStatus};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Shared by everything in the process.
pub(crate) type Shared = Arc<App>;

/// The handles.
pub(crate) struct App {
    /// This process on the bus.
    pub(crate) id: GatewayId,
    pub(crate) config: Config,
    pub(crate) secrets: Secrets,
    /// The other services.
    pub(crate) backend: Backend,
    pub(crate) author_locks: AuthorLocks,
    pub(crate) rate_limits: RateLimits,
    /// The connections that this gateway serves.
    pub(crate) served: ServedRegistry,
    pub(crate) stamps: Stamps,
    pub(crate) sessions: SessionRegistry,
    pub(crate) transports: Arc<Transports>,
    pub(crate) closer: Arc<TransportCloser>,
    /// How many users wait.
    pub(crate) queue_status: watch::Receiver<QueueStatus>,
    /// Cancelled when no new socket is admitted, and the others are let go.
    pub(crate) draining: CancellationToken,
    /// The tasks of sessions, and what they started.
    pub(crate) tasks: TaskTracker,
}

impl App {
    /// The report for operators.
    pub(crate) fn report(&self) -> GatewayReport {
        GatewayReport {
            gateway: self.id.clone(),
            sockets: self.sessions.count() as u64,
            in_rooms: self.served.in_rooms() as u64,
            draining: self.draining.is_cancelled(),
        }
    }

    /// The room of a user, on whichever gateway their socket is.
    ///
    /// # Errors
    /// `NotInRoom`, or unavailable.
    pub(crate) async fn membership(&self, user: UserId) -> Result<Membership, ApiError> {
        if let Some(membership) = self.served.membership(user) {
            return Ok(membership);
        }
        match self.backend.fetch_user(user).await?.state {
            UserState::Room(room) => Ok(Membership { room: room.room, partner: room.partner }),
            UserState::Idle | UserState::Waiting { .. } => Err(ApiError::NotInRoom),
        }
    }
}
