//! Takes what streams hold of a room out of them, when the room is over.

use async_nats::jetstream::stream::{LastRawMessageError, LastRawMessageErrorKind, PurgeError, Stream};
use proto::{RoomCommand, RoomId, bus::Bus, streams, subjects};

/// Where something of a room could be left, beside MongoDB.
#[derive(Clone)]
pub struct Leftovers {
    messages: Stream<()>,
    dead: Stream<()>,
}

impl Leftovers {
    /// In the streams of this bus.
    ///
    /// # Errors
    /// Never, while the names of the streams are names.
    pub async fn new(bus: &Bus) -> anyhow::Result<Self> {
        Ok(Self {
            messages: bus.js.get_stream_no_info(streams::MESSAGES).await?,
            dead: bus.js.get_stream_no_info(streams::DEAD).await?,
        })
    }

    /// Whether the room's end still lies in the stream, so that its usual erasure is to come.
    pub(crate) async fn end_is_to_come(&self, room: RoomId) -> Result<bool, LastRawMessageError> {
        let subject = subjects::room_command(&RoomCommand::RoomEnded { room });
        match self.messages.get_last_raw_message_by_subject(&subject).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Purges the room's commands that are older than its end, and all its dead letters. What
    /// is younger is refused when its turn comes.
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
