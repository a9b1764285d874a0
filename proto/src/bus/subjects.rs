//! Every subject, built and parsed side by side. Namespace first, id last, so that an operator can filter by kind, by
//! room or by user.

use crate::ids::{CommandId, GatewayId, RoomId, UserId};
use async_nats::Subject;

/// Rooms are spread over this many partitions, each with one active consumer at a time, which keeps the order. To
/// change it, let `TALK_MESSAGES` run empty first.
pub const PARTITIONS: u32 = 8;

/// Stands for the room in the subject of a notification for somebody who is in none.
const NO_ROOM: &str = "lonely";

/// Wakes the leader of the matchers.
pub const MATCHER_WAKE: &str = "talk.matcher.wake";
/// How many wait, after each round of matching.
pub const QUEUE_STATUS: &str = "talk.queue.status";

/// What `TALK_USERS` holds.
pub const USER_COMMANDS: [&str; 5] = [
    "talk.queue.requested.*",
    "talk.user.left.*",
    "talk.user.connected.*",
    "talk.user.disconnected.*",
    "talk.user.entered.*",
];
/// What `TALK_MESSAGES` holds.
pub const ROOM_COMMANDS: [&str; 3] = ["talk.message.sent.*.*", "talk.message.liked.*.*", "talk.room.ended.*.*"];
/// What `TALK_DEAD` holds.
pub const DEAD_LETTERS: &str = "talk.dead.>";
/// The commands by which connections are opened.
pub const CONNECTS: &str = "talk.user.connected.*";

/// The partition of a room.
#[must_use]
pub fn partition(room: RoomId) -> u32 {
    // The low bits of a random UUID are random, so that this spreads evenly.
    u32::try_from(room.as_u128() % u128::from(PARTITIONS)).unwrap_or(0)
}

/// A command about a user; `kind` is the second and third token.
#[must_use]
pub fn user_command(kind: &str, user: UserId) -> Subject {
    format!("talk.{kind}.{user}").into()
}

/// A command about a room; `kind` is the second and third token.
#[must_use]
pub fn room_command(kind: &str, room: RoomId) -> Subject {
    format!("talk.{kind}.{}.{room}", partition(room)).into()
}

/// What the consumer of a partition receives.
#[must_use]
pub fn partition_filter(partition: u32) -> Vec<String> {
    ROOM_COMMANDS.iter().map(|subject| subject.replacen('*', &partition.to_string(), 1)).collect()
}

/// All that a stream could still hold of a room, to be purged when it ends.
#[must_use]
pub fn commands_of_room(room: RoomId) -> [String; 2] {
    let partition = partition(room);
    ["sent", "liked"].map(|kind| format!("talk.message.{kind}.{partition}.{room}"))
}

/// The subject of a dead letter, from that of its command.
#[must_use]
pub fn dead_letter(subject: &str) -> Subject {
    format!("talk.dead.{}", subject.strip_prefix("talk.").unwrap_or(subject)).into()
}

/// The subject that a dead letter had, and is replayed to.
#[must_use]
pub fn before_death(subject: &str) -> Option<Subject> {
    Some(format!("talk.{}", subject.strip_prefix("talk.dead.")?).into())
}

/// A notification for a user.
#[must_use]
pub fn notification(kind: &str, room: Option<RoomId>, user: UserId) -> Subject {
    match room {
        Some(room) => format!("talk.notify.{kind}.{room}.{user}"),
        None => format!("talk.notify.{kind}.{NO_ROOM}.{user}"),
    }
    .into()
}

/// All notifications for a user.
#[must_use]
pub fn notifications_of(user: UserId) -> Subject {
    format!("talk.notify.*.*.{user}").into()
}

/// The room in the subject of a notification.
#[must_use]
pub fn room_of_notification(subject: &str) -> Option<RoomId> {
    subject.split('.').nth(3)?.parse().ok()
}

/// A match, for operators.
#[must_use]
pub fn match_made(room: RoomId) -> Subject {
    format!("talk.match.made.{room}").into()
}

/// An event of a room, for operators, without content.
#[must_use]
pub fn room_event(kind: &str, room: RoomId) -> Subject {
    format!("talk.event.{kind}.{room}").into()
}

/// Every [`room_event`].
pub const ROOM_EVENTS: &str = "talk.event.*.*";

/// The reply to a command.
#[must_use]
pub fn reply(gateway: &GatewayId, command: CommandId) -> Subject {
    format!("talk.reply.{gateway}.{command}").into()
}

/// Whether a subject is one of [`reply`]: services may publish elsewhere too, and a gateway may not choose where.
#[must_use]
pub fn is_reply(subject: &str) -> bool {
    replied_command(subject).is_some()
}

/// The gateway that waits for a reply on this subject, and its command.
#[must_use]
pub fn replied_command(subject: &str) -> Option<(GatewayId, CommandId)> {
    let (gateway, command) = subject.strip_prefix("talk.reply.")?.split_once('.')?;
    Some((gateway.parse().ok()?, command.parse().ok()?))
}

/// All replies for a gateway.
#[must_use]
pub fn replies_of(gateway: &GatewayId) -> Subject {
    format!("talk.reply.{gateway}.*").into()
}

/// Requests a user from the matcher.
#[must_use]
pub fn read_user(user: UserId) -> Subject {
    format!("talk.read.user.{user}").into()
}

/// Requests messages from the chat-store.
#[must_use]
pub fn read_history(room: RoomId) -> Subject {
    format!("talk.read.history.{room}").into()
}

/// Requests the report of a gateway, for operators.
#[must_use]
pub fn read_gateway(gateway: &GatewayId) -> Subject {
    format!("talk.read.gateway.{gateway}").into()
}

/// Asks a gateway whether anybody still waits for the reply to a command.
#[must_use]
pub fn gateway_pending(gateway: &GatewayId) -> Subject {
    format!("talk.gateway.pending.{gateway}").into()
}

/// Requests the connections that a gateway serves.
#[must_use]
pub fn gateway_connections(gateway: &GatewayId) -> Subject {
    format!("talk.gateway.connections.{gateway}").into()
}

/// Has a gateway fetch the state of users whose connections the matcher does not know.
#[must_use]
pub fn gateway_resync(gateway: &GatewayId) -> Subject {
    format!("talk.gateway.resync.{gateway}").into()
}

/// Requests how many wait, and which matcher is the leader.
pub const READ_WAITING: &str = "talk.read.waiting";
/// Every [`read_user`].
pub const READ_USER: &str = "talk.read.user.*";
/// Every [`read_history`].
pub const READ_HISTORY: &str = "talk.read.history.*";

/// The id at the end of a subject.
#[must_use]
pub fn last_id<T: std::str::FromStr>(subject: &str) -> Option<T> {
    subject.rsplit('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_parsed_again() {
        let (user, room) = (UserId::new(), RoomId::new());
        assert_eq!(room_of_notification(&notification("typing", Some(room), user)), Some(room));
        assert_eq!(room_of_notification(&notification("typing", None, user)), None);
        assert_eq!(last_id(&notification("typing", None, user)), Some(user));
        assert_eq!(last_id(&read_user(user)), Some(user));
        assert_eq!(last_id(&read_history(room)), Some(room));
        let sent = format!("talk.message.sent.0.{room}");
        assert_eq!(before_death(&dead_letter(&sent)), Some(sent.into()));
    }

    #[test]
    fn a_reply_goes_only_to_a_gateway_for_a_command() {
        let (gateway, command): (GatewayId, _) = ("gateway-1".parse().expect("an id"), CommandId::new());
        assert_eq!(replied_command(&reply(&gateway, command)), Some((gateway, command)));
        for bad in [
            "talk.reply.a b".to_owned(),
            "talk.reply.gateway-1".to_owned(),
            format!("talk.reply.{command}"),
            format!("talk.reply.gateway 1.{command}"),
            format!("talk.reply.*.{command}"),
            format!("talk.reply.gateway-1.{command}.more"),
            format!("talk.reply..{command}"),
            format!("talk.notify.gateway-1.{command}"),
        ] {
            assert!(!is_reply(&bad), "{bad}");
        }
    }

    #[test]
    fn partitions_are_used_evenly() {
        let mut rooms = [0_u32; PARTITIONS as usize];
        for _ in 0..8000 {
            rooms[partition(RoomId::new()) as usize] += 1;
        }
        assert!(rooms.iter().all(|count| (800..1200).contains(count)), "{rooms:?}");
    }
}
