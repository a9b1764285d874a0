//! The gateway's side of the bus: commands and their replies ([`command_client`], [`until_stored`]), typed calls of the
//! other services ([`backend`]), and what this gateway replies to ([`service_api`]).

pub(crate) mod author_locks;
pub(crate) mod backend;
pub(crate) mod command_client;
pub(crate) mod queue_status;
pub(crate) mod service_api;
pub(crate) mod until_stored;
