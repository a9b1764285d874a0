//! Sockets: the handshake ([`handshake`]), the queue that keeps a client's events in their order ([`inbound`]), and
//! their acknowledgements ([`acknowledgement`]).

pub(crate) mod acknowledgement;
pub(crate) mod handshake;
pub(crate) mod inbound;
