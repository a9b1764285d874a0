//! MongoDB, as all services use it. Only with the feature `mongodb`.

mod connect;
pub(crate) mod errors;

pub use connect::{MongoDb, create_collection, dependency, retry_until_ready};
pub use errors::{DUPLICATE_KEY, is_state_change, is_transient};
