//! The bus: NATS and JetStream, as all services use them. [`client`] publishes and requests, [`delivery`] decodes,
//! replies and dead-letters, [`retry`] says which failure is retried.

pub mod backoff;
pub mod client;
pub mod connect;
pub mod delivery;
mod envelope;
pub mod lease;
pub mod retry;
pub mod service_api;
pub mod streams;
pub mod subjects;
pub mod trace_context;

pub use client::{Bus, BusError, REPLY_TO};
pub use delivery::{Delivery, REASON, Undecodable, dead_letter, decode_payload};
pub use envelope::{encode, now_ms};
