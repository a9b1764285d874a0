//! Commands about users: consumed from their stream, applied, replied to, acknowledged.

mod confirm;
pub(crate) mod consumer;
mod handlers;

pub(crate) use handlers::disconnect;
