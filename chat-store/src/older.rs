//! Reads from the stream itself what an earlier consumer of a partition left undone. A
//! work-queue stream holds every command until it is acknowledged.

use anyhow::Context as _;
use async_nats::jetstream::{
    self,
    message::StreamMessage,
    stream::{LastRawMessageErrorKind, Stream},
};
use proto::{
    RoomCommand,
    bus::{Bus, Delivery, decode_payload},
    streams, subjects,
};

/// Reads a partition's commands upwards.
pub(crate) struct Older {
    bus: Bus,
    stream: Stream<()>,
    /// For each subject of the partition its next command, if it was read already.
    heads: Vec<(String, Head)>,
}

enum Head {
    /// To be looked for from this place in the stream on.
    From(u64),
    /// Read, and not given out yet.
    Read(Box<StreamMessage>),
    /// There is no other.
    End,
}

impl Older {
    pub(crate) async fn new(bus: &Bus, partition: u32) -> anyhow::Result<Self> {
        let stream = bus.js.get_stream_no_info(streams::MESSAGES).await.context("opening the stream")?;
        let heads = subjects::partition_filter(partition).into_iter().map(|filter| (filter, Head::From(1))).collect();
        Ok(Self { bus: bus.clone(), stream, heads })
    }

    /// The next commands below this place in the stream, oldest first, at most so many. They
    /// cannot be acknowledged; those that cannot be decoded are left out, for their redelivery.
    pub(crate) async fn next(&mut self, below: u64, limit: usize) -> anyhow::Result<Vec<Delivery<RoomCommand>>> {
        let mut commands = Vec::new();
        while commands.len() < limit
            && let Some(message) = self.oldest(below).await?
        {
            commands.extend(self.decode(message));
        }
        Ok(commands)
    }

    async fn oldest(&mut self, below: u64) -> anyhow::Result<Option<StreamMessage>> {
        let mut oldest: Option<(usize, u64)> = None;
        for (at, (filter, head)) in self.heads.iter_mut().enumerate() {
            if let Head::From(from) = head {
                *head = look(&self.stream, filter, *from).await?;
            }
            if let Head::Read(message) = head
                && message.sequence < oldest.map_or(below, |(_, sequence)| sequence)
            {
                oldest = Some((at, message.sequence));
            }
        }
        let Some((at, sequence)) = oldest else { return Ok(None) };
        match std::mem::replace(&mut self.heads[at].1, Head::From(sequence + 1)) {
            Head::Read(message) => Ok(Some(*message)),
            Head::From(_) | Head::End => Ok(None),
        }
    }

    fn decode(&self, message: StreamMessage) -> Option<Delivery<RoomCommand>> {
        let (command, at_ms) = decode_payload(&message.payload).ok()?;
        let sequence = message.sequence;
        let raw = async_nats::Message {
            subject: message.subject,
            reply: None,
            length: message.payload.len(),
            payload: message.payload,
            headers: Some(message.headers),
            status: None,
            description: None,
        };
        let raw = jetstream::Message { message: raw, context: self.bus.js.clone() };
        Some(Delivery { command, at_ms, sequence, raw })
    }
}

async fn look(stream: &Stream<()>, filter: &str, from: u64) -> anyhow::Result<Head> {
    // Of the stream's leader: a follower may be behind.
    match stream.get_first_raw_message_by_subject(filter, from).await {
        Ok(message) => Ok(Head::Read(Box::new(message))),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(Head::End),
        Err(error) => Err(error).context("reading older commands from the stream"),
    }
}
