//! The contract with clients: what they send ([`client_event`]), what they receive ([`server_event`]), and the envelope
//! and errors of every reply ([`error`]). `proto/asyncapi.yaml` describes all of it; `contract` compares both.

pub(crate) mod client_event;
#[cfg(test)]
mod contract;
pub(crate) mod draft;
pub(crate) mod error;
pub(crate) mod server_event;
