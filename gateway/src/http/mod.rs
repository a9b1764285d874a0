//! The HTTP side: REST, the page, and the transports below Socket.IO, on one port.

pub(crate) mod acceptor;
pub(crate) mod body;
pub(crate) mod client_ip;
pub(crate) mod connection;
pub(crate) mod flow;
pub(crate) mod page;
pub(crate) mod rate_limit;
pub(crate) mod rest;
pub(crate) mod router;
pub(crate) mod transport_closer;
pub(crate) mod transports;
