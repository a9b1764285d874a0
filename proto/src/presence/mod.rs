//! Presence: which connection speaks for a user, and the requests by which the matcher and the gateways compare what
//! they know of it. `matcher/README.md` explains the protocol.

mod register;
mod requests;
mod verdict;

pub use register::{ConnectionStamp, ConnectionState, Register};
pub use requests::{CONNECTIONS_PAGE, ConnectionsReply, ConnectionsRequest, ResyncRequest, ServedConnection};
pub use verdict::Verdict;
