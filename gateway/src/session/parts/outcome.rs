//! What comes of a change of a user's location.

use crate::{api::server_event::ServerEvent, session::parts::client::ClientKind};
use proto::{Queue, RoomId};

/// What follows from a change.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// For the client, in this order.
    pub(crate) events: Vec<ServerEvent>,
    /// For the session.
    pub(crate) follow_up: Option<FollowUp>,
}

/// What the session does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FollowUp {
    /// Enter the room.
    Enter(RoomId),
    /// Messages may have been missed: fetch them.
    CatchUp,
    /// The client waits, and the matcher does not know: request the queue again.
    Requeue(Queue),
    /// The matcher has erased the user: a later queue request needs a new claim.
    Released,
}

impl Outcome {
    /// Nothing changed for anybody.
    pub(super) fn nothing() -> Self {
        Self::default()
    }

    /// The client is sent this.
    pub(super) fn event(event: ServerEvent) -> Self {
        Self { events: vec![event], follow_up: None }
    }

    /// And the session does this.
    pub(super) fn then(self, follow_up: FollowUp) -> Self {
        Self { follow_up: Some(follow_up), ..self }
    }

    /// The client is sent this, if it is one that knows the event.
    pub(super) fn for_current(client: ClientKind, event: ServerEvent) -> Self {
        if client == ClientKind::Current { Self::event(event) } else { Self::nothing() }
    }
}
