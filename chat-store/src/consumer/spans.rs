//! The chat-store's part in the traces of commands. A batch is written to MongoDB at once: each command has a span for
//! that time; those of the others are linked to that of the first, which contains the operations.

use proto::{RoomCommand, bus::Delivery, trace_context};
use tracing::{Span, debug_span, field::Empty};

/// One for each command of a batch, from its delivery to its acknowledgement.
pub(super) fn of_commands(batch: &[Delivery<RoomCommand>]) -> Vec<Span> {
    batch.iter().map(|delivery| of_command(&delivery.raw)).collect()
}

/// One for a command, in the trace of its publisher.
pub(super) fn of_command(raw: &async_nats::jetstream::Message) -> Span {
    let span = debug_span!(
        "command",
        otel.kind = "consumer",
        bus.subject = %raw.subject,
        bus.attempt = raw.info().map_or(1, |info| info.delivered),
        message.id = Empty,
    );
    trace_context::follow(&span, raw.headers.as_ref());
    span
}

/// One below each, for as long as the batch is applied.
pub(super) fn of_storing(commands: &[Span]) -> Vec<Span> {
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
