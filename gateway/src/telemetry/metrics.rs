//! The gateway's metrics, by name. Every one exists from the start, at zero.

use proto::{RoomCommand, UserCommand, metrics};

/// Open sockets, by the kind of client.
pub(crate) const SOCKETS: &str = "talk_sockets";
/// Requests of clients, by REST or socket.
pub(crate) const REQUESTS: &str = "talk_requests_total";
/// Requests that were rejected, by error code.
pub(crate) const REJECTED: &str = "talk_rejected_total";
/// Time from the publication of a command to its reply.
pub(crate) const ACKNOWLEDGEMENT_SECONDS: &str = "talk_acknowledgement_seconds";
/// Commands without a reply in time.
pub(crate) const REPLY_TIMEOUTS: &str = "talk_reply_timeouts_total";
/// Sockets that were closed because they did not read.
pub(crate) const SLOW_SOCKETS_CLOSED: &str = "talk_slow_sockets_closed_total";

/// Commands that are not replied to.
const WITHOUT_REPLY: [&str; 2] = ["disconnected", "room_ended"];

/// Describes all metrics and starts them at zero; `reasons` are the error codes of the API.
pub(crate) fn describe(reasons: &'static [&'static str]) {
    metrics::start("gateway");
    metrics::gauge_by((SOCKETS, "Open sockets, by the kind of client"), "client", ["current", "legacy"]);
    metrics::counter_by((REQUESTS, "Requests of clients, by REST or over their socket"), "via", ["rest", "socket"]);
    metrics::counter_by((REJECTED, "Rejected requests of clients, by error code"), "reason", reasons.iter().copied());
    let acknowledged = (ACKNOWLEDGEMENT_SECONDS, "Time from the publication of a command to its reply");
    let commands = UserCommand::NAMES.iter().chain(RoomCommand::NAMES).copied();
    metrics::histogram_by(acknowledged, "command", commands.filter(|name| !WITHOUT_REPLY.contains(name)));
    metrics::counters(&[
        (REPLY_TIMEOUTS, "Commands that were stored and had no reply in time"),
        (SLOW_SOCKETS_CLOSED, "Sockets that were closed because their client did not read what was sent"),
    ]);
}
