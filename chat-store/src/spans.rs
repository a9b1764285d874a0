//! The part of the chat-store in the traces of those who asked. A batch is written to MongoDB at
//! once: every command has a span for that time, those of the others linked to that of the first,
//! which holds the operations.

use proto::{RoomCommand, bus::Delivery, context};
use tracing::{Span, debug_span, field::Empty};

/// One for each command of a batch, from its delivery to its acknowledgement.
pub(crate) fn of_commands(batch: &[Delivery<RoomCommand>]) -> Vec<Span> {
    batch.iter().map(|delivery| of_command(&delivery.raw)).collect()
}

/// One for a command, in the trace of whoever published it.
pub(crate) fn of_command(raw: &async_nats::jetstream::Message) -> Span {
    let span = debug_span!(
        "command",
        otel.kind = "consumer",
        bus.subject = %raw.subject,
        bus.attempt = raw.info().map_or(1, |info| info.delivered),
        message.id = Empty,
    );
    context::follow(&span, raw.headers.as_ref());
    span
}

/// One below each, for as long as the batch is worked on in MongoDB.
pub(crate) fn of_storing(commands: &[Span]) -> Vec<Span> {
    let size = commands.len();
    let enabled = commands.iter().filter(|command| !command.is_disabled());
    let spans: Vec<Span> = enabled.map(|command| debug_span!(parent: command, "store", batch.size = size)).collect();
    if let [first, others @ ..] = &spans[..] {
        for other in others {
            other.follows_from(first);
        }
    }
    spans
}
