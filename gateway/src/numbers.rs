//! The names of the gateway's metrics.

use crate::error::ApiError;
use proto::{RoomCommand, UserCommand, numbers};
use strum::VariantNames as _;

pub(crate) const SOCKETS: &str = "talk_sockets";
pub(crate) const REQUESTS: &str = "talk_requests_total";
pub(crate) const REJECTED: &str = "talk_rejected_total";
pub(crate) const ACKNOWLEDGEMENT_SECONDS: &str = "talk_acknowledgement_seconds";
pub(crate) const RESULTS_MISSED: &str = "talk_results_missed_total";
pub(crate) const EVENTS_DROPPED: &str = "talk_events_dropped_total";
pub(crate) const SLOW_SOCKETS: &str = "talk_slow_sockets_total";

/// Says what each one counts, and starts them at zero.
pub(crate) fn describe() {
    numbers::start("gateway");
    numbers::gauge_by((SOCKETS, "Sockets, by the kind of client"), "client", ["current", "old"]);
    numbers::counter_by((REQUESTS, "What clients asked for, by REST or over their socket"), "via", ["rest", "socket"]);
    let reasons = ApiError::VARIANTS.iter().copied();
    numbers::counter_by((REJECTED, "What clients asked for and did not get, by reason"), "reason", reasons);
    let acknowledged = (ACKNOWLEDGEMENT_SECONDS, "How long a command took from its publication to its result");
    let commands = UserCommand::NAMES.iter().chain(RoomCommand::NAMES).copied();
    numbers::histogram_by(
        acknowledged,
        "command",
        commands.filter(|name| !["disconnected", "room_ended"].contains(name)),
    );
    numbers::counters(&[
        (RESULTS_MISSED, "Commands whose result did not come in time"),
        (EVENTS_DROPPED, "Events that a client was too far behind for"),
        (SLOW_SOCKETS, "Times that a socket's buffer was full"),
    ]);
}
