//! Why a batch could not be applied, and whose fault it is.

use proto::database;

/// Why a batch has to be applied again.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// MongoDB did not respond, or refused.
    #[error("MongoDB: {0}")]
    MongoDb(#[from] mongodb::error::Error),
    /// What a stream held of a room could not be purged.
    #[error("purging a room from a stream: {0}")]
    Purge(#[from] async_nats::jetstream::stream::PurgeError),
    /// MongoDB does not accept one of the messages.
    #[error("{0}")]
    Rejected(String),
    /// A message is stored already, or another process stored one with the same sequence.
    #[error("another chat-store works on the same rooms")]
    Conflict,
    /// It took too long.
    #[error("the batch took longer than {0:?}")]
    TimedOut(std::time::Duration),
}

impl ApplyError {
    /// Whether the same batch will work later: a server, or another process, is to blame and none of the commands.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::MongoDb(error) => database::is_transient(error),
            Self::Rejected(_) => false,
            Self::Purge(_) | Self::Conflict | Self::TimedOut(_) => true,
        }
    }
}
