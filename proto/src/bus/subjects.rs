//! Every subject, built and parsed side by side. Namespace first, id last, so that an operator can filter by kind, by
//! room or by user.

use crate::ids::{CommandId, GatewayId, RoomId, UserId};
use async_nats::Subject;

/// Rooms are distributed over this many partitions, each with one active consumer at a time, which keeps the order. To
/// change it, let `TALK_MESSAGES` run empty first.
pub const PARTITIONS: u32 = 8;

/// Stands for the room in the subject of a notification for a user in no room.
const NO_ROOM: &str = "lonely";

/// Wakes the leader of the matchers.
pub const MATCHER_WAKE: &str = "talk.matcher.wake";
/// How many users wait, after each match round.
pub const QUEUE_STATUS: &str = "talk.queue.status";

/// The subjects of `TALK_USERS`.
pub const USER_COMMANDS: [&str; 5] = [
    "talk.queue.requested.*",
    "talk.user.left.*",
    "talk.user.connected.*",
    "talk.user.disconnected.*",
    "talk.user.entered.*",
];
/// The subjects of `TALK_MESSAGES`.
pub const ROOM_COMMANDS: [&str; 3] = ["talk.message.sent.*.*", "talk.message.liked.*.*", "talk.room.ended.*.*"];
/// The subjects of `TALK_DEAD`.
pub const DEAD_LETTERS: &str = "talk.dead.>";
/// The commands that open connections.
pub const CONNECTS: &str = "talk.user.connected.*";

/// The partition of a room.
#[must_use]
pub fn partition(room: RoomId) -> u32 {
    // The low bits of a random UUID are random, so that the distribution is even.
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

/// The subjects of a partition's consumer.
#[must_use]
pub fn partition_filter(partition: u32) -> Vec<String> {
    ROOM_COMMANDS.iter().map(|subject| subject.replacen('*', &partition.to_string(), 1)).collect()
}

/// The subjects of all commands that a stream may still hold of a room, to be purged when it ends.
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

/// The subject of the command that a dead letter was, to which it is replayed.
#[must_use]
pub fn original_subject(subject: &str) -> Option<Subject> {
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

/// Whether a subject is one of [`reply`]: a service may publish on others too, and the header of a command must not
/// choose one of those.
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

/// Requests the state of a user from the matcher.
#[must_use]
pub fn read_user(user: UserId) -> Subject {
    format!("talk.read.user.{user}").into()
}

/// Requests the messages of a room from the chat-store.
#[must_use]
pub fn read_history(room: RoomId) -> Subject {
    format!("talk.read.history.{room}").into()
}

/// Requests the report of a gateway, for operators.
#[must_use]
pub fn read_gateway(gateway: &GatewayId) -> Subject {
    format!("talk.read.gateway.{gateway}").into()
}

/// Requests whether a gateway still waits for the reply to a command.
#[must_use]
pub fn gateway_pending(gateway: &GatewayId) -> Subject {
    format!("talk.gateway.pending.{gateway}").into()
}

/// Requests the connections that a gateway serves.
#[must_use]
pub fn gateway_connections(gateway: &GatewayId) -> Subject {
    format!("talk.gateway.connections.{gateway}").into()
}

/// Requests that a gateway fetches the state of users whose connections the matcher does not know.
#[must_use]
pub fn gateway_resync(gateway: &GatewayId) -> Subject {
    format!("talk.gateway.resync.{gateway}").into()
}

/// Requests how many users wait, and which matcher is the leader.
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
    fn a_subject_that_was_built_is_parsed_again() {
        let (user, room) = (UserId::new(), RoomId::new());
        assert_eq!(room_of_notification(&notification("typing", Some(room), user)), Some(room));
        assert_eq!(room_of_notification(&notification("typing", None, user)), None);
        assert_eq!(last_id(&notification("typing", None, user)), Some(user));
        assert_eq!(last_id(&read_user(user)), Some(user));
        assert_eq!(last_id(&read_history(room)), Some(room));
        let sent = format!("talk.message.sent.0.{room}");
        assert_eq!(original_subject(&dead_letter(&sent)), Some(sent.into()));
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
