//! Everything that one socket is sent, in one order and bounded in bytes. Nothing overtakes anything, and nothing is
//! dropped alone: a socket that does not take it is closed, and its client learns the rest when it is back.
//!
//! Only so much is handed to the engine at a time as its transport soon takes ([`crate::http::flow`] says how that is
//! known). History is sent in parts by [`crate::session::replay`], each when there is room.

use crate::{
    api::server_event::{Rendered, ServerEvent},
    http::flow::Flow,
    session::parts::backlog::{Backlog, IN_TRANSPORT, InFlight},
};
use socketioxide::{SendError, SocketError, extract::SocketRef};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The outgoing events of one socket.
pub(crate) struct Outbox {
    socket: SocketRef,
    flow: Arc<Flow>,
    backlog: Backlog,
    in_flight: InFlight,
    patience: Duration,
    blocked_since: Option<Instant>,
}

impl Outbox {
    /// Empty. A socket that takes nothing for `patience` does not read.
    pub(crate) fn new(socket: SocketRef, flow: Arc<Flow>, patience: Duration) -> Self {
        Self {
            socket,
            flow,
            backlog: Backlog::default(),
            in_flight: InFlight::default(),
            patience,
            blocked_since: None,
        }
    }

    /// Sends an event, now or after those before it.
    pub(crate) fn push(&mut self, event: &ServerEvent) {
        let _span = tracing::debug_span!("emit", socket.event = event.name()).entered();
        match event.render() {
            Ok(rendered) => self.backlog.push(rendered, self.flow.in_transport()),
            Err(error) => tracing::error!(%error, socket.event = event.name(), "event not serializable"),
        }
        self.hand_over();
    }

    /// Hands over what the transport has room for.
    fn hand_over(&mut self) {
        while let Some(event) = self.backlog.next(self.flow.in_transport()) {
            if !emit(&self.socket, event) {
                break;
            }
            self.flow.hand_over(event.bytes());
            self.in_flight.note(event.seq, event.bytes());
            self.backlog.pop();
        }
        self.in_flight.forget_taken(self.flow.in_transport());
        self.blocked_since = if self.has_room() { None } else { self.blocked_since.or_else(|| Some(Instant::now())) };
    }

    /// Whether a part of the history may be sent: everything before it was handed over, and most of it taken.
    pub(crate) fn has_room(&self) -> bool {
        self.backlog.is_empty() && self.flow.in_transport() < IN_TRANSPORT / 2
    }

    /// Waits until the transport has taken something; [`Self::resume`] follows.
    pub(crate) async fn progress(&self) {
        self.flow.progress().await;
    }

    /// Hands over what the transport has room for, after it has taken something.
    pub(crate) fn resume(&mut self) {
        self.blocked_since = None;
        self.hand_over();
    }

    /// Whether it waits for the transport to take something.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.has_room()
    }

    /// When a socket that takes nothing has to be closed; none while it takes what it is sent.
    pub(crate) fn gives_up_at(&self) -> Option<Instant> {
        self.blocked_since.map(|since| since + self.patience)
    }

    /// Whether more was to be sent than may wait: the socket has to be closed.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.backlog.has_overflowed()
    }

    /// Drops what waits, since the socket is closed without it.
    pub(crate) fn give_up(&mut self) {
        self.backlog.overflow();
    }

    /// The first message that the transport may not have taken.
    pub(crate) fn first_unsent(&self) -> Option<u64> {
        self.in_flight.first(self.flow.in_transport()).or(self.backlog.first_unsent())
    }

    /// The socket.
    pub(crate) fn socket(&self) -> &SocketRef {
        &self.socket
    }
}

/// False when the engine's channel of packets is full.
fn emit(socket: &SocketRef, event: &Rendered) -> bool {
    let emitted = match &event.payload {
        Some(payload) => socket.emit(event.name, payload),
        // `()` would be an argument, null.
        None => socket.emit(event.name, &[(); 0]),
    };
    // Of a closed socket the disconnect is on its way: what is emitted meanwhile is unsent.
    !matches!(emitted, Err(SendError::Socket(SocketError::InternalChannelFull)))
}
