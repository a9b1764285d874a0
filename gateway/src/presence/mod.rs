//! Presence: which connections this gateway serves ([`registry`]), how one claims its user ([`claim`]), and the lease
//! whose lapse shows that this gateway was killed ([`lease`]). `matcher/README.md` explains the protocol.

pub(crate) mod claim;
pub(crate) mod lease;
pub(crate) mod registry;
