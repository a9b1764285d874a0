//! Purges what the streams hold of a room that has ended.

use async_nats::jetstream::stream::{LastRawMessageError, LastRawMessageErrorKind, PurgeError, Stream};
use proto::{
    Command as _, RoomCommand, RoomId,
    bus::{Bus, streams, subjects},
};

/// The streams that may hold something of a room.
#[derive(Clone)]
pub struct StreamPurge {
    messages: Stream<()>,
    dead: Stream<()>,
}

impl StreamPurge {
    /// For the streams of this bus.
    ///
    /// # Errors
    /// Never, while the names of the streams are valid.
    pub async fn new(bus: &Bus) -> anyhow::Result<Self> {
        Ok(Self {
            messages: bus.js.get_stream_no_info(streams::MESSAGES).await?,
            dead: bus.js.get_stream_no_info(streams::DEAD).await?,
        })
    }

    /// Whether the end of the room is still in the stream, so that its usual erasure follows.
    pub(crate) async fn has_end_of(&self, room: RoomId) -> Result<bool, LastRawMessageError> {
        let subject = RoomCommand::RoomEnded { room }.subject();
        match self.messages.get_last_raw_message_by_subject(&subject).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Purges the commands of the room that are older than its end, and all its dead letters. Younger ones are refused
    /// when they are applied.
    pub(crate) async fn purge(&self, room: RoomId, end: u64) -> Result<(), PurgeError> {
        let [sent, liked] = subjects::commands_of_room(room);
        tokio::try_join!(
            self.messages.purge().sequence(end).filter(&sent),
            self.messages.purge().sequence(end).filter(&liked),
            self.dead.purge().filter(subjects::dead_letter(&sent).as_str()),
            self.dead.purge().filter(subjects::dead_letter(&liked).as_str()),
        )?;
        Ok(())
    }
}
