//! The payloads of the requests from the matcher to a gateway: which connections it serves, and whose state it has to
//! fetch again.
//!
//! `talk.gateway.pending.<gateway>` needs no type here: the request is a [`crate::CommandId`] as a JSON string, the
//! reply a JSON bool.

use super::ConnectionStamp;
use crate::ids::{GatewayId, UserId};
use serde::{Deserialize, Serialize};

/// How many connections one page holds, and how many users one resync names. An entry is at most 111 bytes of JSON, so
/// that a page stays far below the 1 MB that NATS carries.
pub const CONNECTIONS_PAGE: usize = 2000;

/// The request on [`crate::subjects::gateway_connections`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionsRequest {
    /// The last user of the page before; none for the first page.
    pub after: Option<UserId>,
}

/// The reply to it: a page of the connections that the gateway serves, ordered by user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionsReply {
    /// At most [`CONNECTIONS_PAGE`] of them.
    pub connections: Vec<ServedConnection>,
    /// Whether there is a page after this one.
    pub more: bool,
}

/// A connection that a gateway serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServedConnection {
    /// Whom it speaks for.
    pub user: UserId,
    /// See [`ConnectionStamp::opened_at_ms`].
    pub opened_at_ms: i64,
    /// See [`ConnectionStamp::counter`].
    pub counter: u64,
}

/// The request on [`crate::subjects::gateway_resync`]: the sessions of these users fetch their state. The reply is the
/// number of sessions that do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResyncRequest {
    /// At most [`CONNECTIONS_PAGE`] of them.
    pub users: Vec<UserId>,
}

impl ServedConnection {
    /// The whole name of the connection, given the gateway that serves it.
    #[must_use]
    pub fn stamp(&self, gateway: GatewayId) -> ConnectionStamp {
        ConnectionStamp { opened_at_ms: self.opened_at_ms, gateway, counter: self.counter }
    }
}

impl ConnectionsReply {
    /// The page that a request names, of all connections in any order. A page ends between two users: those of one
    /// user are never divided, since the next page begins after the user.
    #[must_use]
    pub fn page(mut all: Vec<ServedConnection>, request: &ConnectionsRequest) -> Self {
        all.retain(|connection| request.after.is_none_or(|after| connection.user > after));
        all.sort_unstable();
        let more = all.len() > CONNECTIONS_PAGE;
        if more {
            let divided = all[CONNECTIONS_PAGE].user;
            let end = all.partition_point(|connection| connection.user < divided);
            // More connections of one user than a page holds: a part of them is better than no progress.
            all.truncate(if end == 0 { CONNECTIONS_PAGE } else { end });
        }
        Self { connections: all, more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(user: UserId, counter: u64) -> ServedConnection {
        ServedConnection { user, opened_at_ms: i64::MAX, counter }
    }

    fn all_pages(all: &[ServedConnection]) -> Vec<ServedConnection> {
        let (mut read, mut request) = (Vec::new(), ConnectionsRequest { after: None });
        loop {
            let page = ConnectionsReply::page(all.to_vec(), &request);
            assert!(page.connections.len() <= CONNECTIONS_PAGE);
            read.extend(page.connections);
            request.after = read.last().map(|last: &ServedConnection| last.user);
            if !page.more {
                return read;
            }
        }
    }

    #[test]
    fn pages_hold_every_connection_once_and_in_order() {
        for count in [0, 1, CONNECTIONS_PAGE, CONNECTIONS_PAGE + 1, 2 * CONNECTIONS_PAGE + 7] {
            let mut all: Vec<_> = (0..count).map(|_| connection(UserId::new(), 1)).collect();
            let read = all_pages(&all);
            all.sort_unstable();
            assert_eq!(read, all, "{count}");
        }
    }

    #[test]
    fn the_connections_of_one_user_are_on_one_page() {
        let users: Vec<_> = (0..CONNECTIONS_PAGE).map(|_| UserId::new()).collect();
        let mut all: Vec<_> = users.iter().flat_map(|user| (0..3).map(|counter| connection(*user, counter))).collect();
        let read = all_pages(&all);
        all.sort_unstable();
        assert_eq!(read, all);
    }

    #[test]
    fn a_full_page_fits_into_a_message_of_nats() {
        let connections = (0..CONNECTIONS_PAGE).map(|_| connection(UserId::new(), u64::MAX)).collect();
        let page = ConnectionsReply { connections, more: true };
        assert!(serde_json::to_vec(&page).expect("JSON").len() < 300_000);
    }
}
