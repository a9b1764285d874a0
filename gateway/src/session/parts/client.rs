//! The client of a session: its kind and what it sent in the handshake, and how its connection ended.

use crate::telemetry::metrics::SOCKETS;
use metrics::Gauge;
use proto::UserId;
use socketioxide::socket::DisconnectReason;
use std::sync::OnceLock;
use tokio_util::sync::CancellationToken;

/// Which events a client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientKind {
    /// Authenticated in the handshake; knows all events.
    Current,
    /// One of the two front-ends of the original.
    Legacy,
}

impl ClientKind {
    /// Counts a socket of this kind until the guard is dropped.
    pub(crate) fn count(self) -> SocketGauge {
        let kind = match self {
            Self::Current => "current",
            Self::Legacy => "legacy",
        };
        let gauge = metrics::gauge!(SOCKETS, "client" => kind);
        gauge.increment(1);
        SocketGauge(gauge)
    }
}

/// Counts one socket.
pub(crate) struct SocketGauge(Gauge);

impl Drop for SocketGauge {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// A client that authenticated in the handshake.
#[derive(Clone, Copy)]
pub(crate) struct Authenticated {
    /// Who it is.
    pub(crate) user: UserId,
    /// The last sequence that it has in its room, if it believes to be in one.
    pub(crate) last_seq: Option<u64>,
}

/// Whether and why a socket is closed.
#[derive(Default)]
pub(crate) struct Closed {
    token: CancellationToken,
    reason: OnceLock<DisconnectReason>,
}

impl Closed {
    /// The socket is closed. The first reason counts.
    pub(crate) fn close(&self, reason: DisconnectReason) {
        self.reason.get_or_init(|| reason);
        self.token.cancel();
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits for it.
    pub(crate) async fn closed(&self) {
        self.token.cancelled().await;
    }

    /// The client disconnected from the namespace, rather than losing its connection.
    pub(crate) fn by_goodbye(&self) -> bool {
        matches!(self.reason.get(), Some(DisconnectReason::ClientNSDisconnect))
    }

    /// The connection broke without a word from the client: what was sent last may be lost.
    pub(crate) fn silently(&self) -> bool {
        matches!(self.reason.get(), Some(DisconnectReason::HeartbeatTimeout | DisconnectReason::TransportError))
    }
}
