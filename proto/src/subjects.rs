//! Every subject, built and parsed side by side. Namespace first, id last, so that an operator
//! can filter by kind, by room or by user.

use crate::{
    commands::{RoomCommand, UserCommand},
    events::Live,
    ids::{CommandId, GatewayId, RoomId, UserId},
    operators::Happened,
};
use async_nats::Subject;

/// Rooms are spread over this many partitions, each with one active consumer at a time, which
/// keeps the order. To change it, let `TALK_MESSAGES` run empty first.
pub const PARTITIONS: u32 = 8;

/// Stands for the room in the subject of an event for somebody who is in none.
const NO_ROOM: &str = "lonely";

/// Wakes the ticking matcher.
pub const MATCHER_WAKE: &str = "talk.matcher.wake";
/// How many wait, after each tick.
pub const QUEUE_STATUS: &str = "talk.queue.status";

/// What `TALK_USERS` holds.
pub const USER_COMMANDS: [&str; 5] = [
    "talk.queue.requested.*",
    "talk.user.left.*",
    "talk.user.connected.*",
    "talk.user.disconnected.*",
    "talk.user.joined.*",
];
/// What `TALK_MESSAGES` holds.
pub const ROOM_COMMANDS: [&str; 3] = ["talk.message.sent.*.*", "talk.message.liked.*.*", "talk.room.ended.*.*"];
/// What `TALK_DEAD` holds.
pub const DEAD_LETTERS: &str = "talk.dead.>";

/// The partition of a room.
#[must_use]
pub fn partition(room: RoomId) -> u32 {
    // The low bits of a random UUID are random, so that this spreads evenly.
    u32::try_from(room.as_u128() % u128::from(PARTITIONS)).unwrap_or(0)
}

/// The commands that say that somebody has a connection.
pub const CONNECTS: &str = "talk.user.connected.*";

/// Where a user's command goes.
#[must_use]
pub fn user_command(command: &UserCommand) -> Subject {
    let kind = match command {
        UserCommand::QueueRequested { .. } => "queue.requested",
        UserCommand::Left { .. } => "user.left",
        UserCommand::Connected { .. } => "user.connected",
        UserCommand::Disconnected { .. } => "user.disconnected",
        UserCommand::Joined { .. } => "user.joined",
    };
    format!("talk.{kind}.{}", command.user()).into()
}

/// Where a room's command goes.
#[must_use]
pub fn room_command(command: &RoomCommand) -> Subject {
    let kind = match command {
        RoomCommand::MessageSent { .. } => "message.sent",
        RoomCommand::MessageLiked { .. } => "message.liked",
        RoomCommand::RoomEnded { .. } => "room.ended",
    };
    let room = command.room();
    format!("talk.{kind}.{}.{room}", partition(room)).into()
}

/// What the consumer of a partition takes.
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

/// Where a command that cannot be applied ends.
#[must_use]
pub fn dead_letter(subject: &str) -> Subject {
    format!("talk.dead.{}", subject.strip_prefix("talk.").unwrap_or(subject)).into()
}

/// Where a dead letter came from, and is replayed to.
#[must_use]
pub fn before_death(subject: &str) -> Option<Subject> {
    Some(format!("talk.{}", subject.strip_prefix("talk.dead.")?).into())
}

/// Where an event for a user is told.
#[must_use]
pub fn live(event: &Live, room: Option<RoomId>, user: UserId) -> Subject {
    let kind = event.kind();
    match room {
        Some(room) => format!("talk.live.{kind}.{room}.{user}"),
        None => format!("talk.live.{kind}.{NO_ROOM}.{user}"),
    }
    .into()
}

/// All that is told to a user.
#[must_use]
pub fn live_of(user: UserId) -> Subject {
    format!("talk.live.*.*.{user}").into()
}

/// The room in the subject of a live event.
#[must_use]
pub fn room_of_live(subject: &str) -> Option<RoomId> {
    subject.split('.').nth(3)?.parse().ok()
}

/// Where a match is announced for operators.
#[must_use]
pub fn match_made(room: RoomId) -> Subject {
    format!("talk.match.made.{room}").into()
}

/// Where operators are told what happened in a room, without content.
#[must_use]
pub fn room_event(happened: &Happened, room: RoomId) -> Subject {
    format!("talk.event.{}.{room}", happened.kind()).into()
}

/// Every [`room_event`].
pub const ROOM_EVENTS: &str = "talk.event.*.*";

/// Where the answer to a command goes.
#[must_use]
pub fn reply(gateway: &GatewayId, command: CommandId) -> Subject {
    format!("talk.reply.{gateway}.{command}").into()
}

/// Whether answers to commands go there, as [`reply`] writes it: whoever answers may write elsewhere too, and whoever
/// asks may not.
#[must_use]
pub fn is_reply(subject: &str) -> bool {
    let parts = subject.strip_prefix("talk.reply.").and_then(|parts| parts.split_once('.'));
    parts.is_some_and(|(gateway, command)| gateway.parse::<GatewayId>().is_ok() && command.parse::<CommandId>().is_ok())
}

/// All answers for a gateway.
#[must_use]
pub fn replies_of(gateway: &GatewayId) -> Subject {
    format!("talk.reply.{gateway}.*").into()
}

/// Asks the matcher where somebody stands.
#[must_use]
pub fn read_user(user: UserId) -> Subject {
    format!("talk.read.user.{user}").into()
}

/// Asks the chat-store for messages.
#[must_use]
pub fn read_history(room: RoomId) -> Subject {
    format!("talk.read.history.{room}").into()
}

/// Asks a gateway who is on it.
#[must_use]
pub fn read_gateway(gateway: &GatewayId) -> Subject {
    format!("talk.read.gateway.{gateway}").into()
}

/// Asks the matcher who waits, and which matcher ticks.
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
    use crate::commands::Queue;

    #[test]
    fn what_is_built_is_parsed_again() {
        let (user, room) = (UserId::new(), RoomId::new());
        let event = Live::Typing { typing: true };
        assert_eq!(room_of_live(&live(&event, Some(room), user)), Some(room));
        assert_eq!(room_of_live(&live(&event, None, user)), None);
        assert_eq!(last_id(&live(&event, None, user)), Some(user));
        assert_eq!(last_id(&read_user(user)), Some(user));
        assert_eq!(last_id(&read_history(room)), Some(room));
        let sent = format!("talk.message.sent.0.{room}");
        assert_eq!(before_death(&dead_letter(&sent)), Some(sent.into()));
    }

    #[test]
    fn an_answer_goes_only_to_a_gateway_for_a_command() {
        let (gateway, command) = ("gateway-1".parse().expect("an id"), CommandId::new());
        assert!(is_reply(&reply(&gateway, command)));
        for bad in [
            "talk.reply.a b".to_owned(),
            "talk.reply.gateway-1".to_owned(),
            format!("talk.reply.{command}"),
            format!("talk.reply.gateway 1.{command}"),
            format!("talk.reply.*.{command}"),
            format!("talk.reply.gateway-1.{command}.more"),
            format!("talk.reply..{command}"),
            format!("talk.live.gateway-1.{command}"),
        ] {
            assert!(!is_reply(&bad), "{bad}");
        }
    }

    #[test]
    fn the_streams_hold_every_command() {
        let matches = |filter: &str, subject: &str| {
            let (filter, subject): (Vec<_>, Vec<_>) = (filter.split('.').collect(), subject.split('.').collect());
            filter.len() == subject.len() && filter.iter().zip(&subject).all(|(f, s)| *f == "*" || f == s)
        };
        let (user, room) = (UserId::new(), RoomId::new());
        for command in [
            UserCommand::QueueRequested { user, queue: Queue::Talk, settle_ms: 0 },
            UserCommand::Left { user },
            UserCommand::Connected { user, gateway: "g".parse().expect("an id"), reassert: None },
            UserCommand::Disconnected { user, epoch: 1, seen: 0, cause: crate::commands::Loss::Lost },
            UserCommand::Joined { user },
        ] {
            let subject = user_command(&command);
            assert_eq!(USER_COMMANDS.iter().filter(|f| matches(f, &subject)).count(), 1, "{subject}");
        }
        for command in [
            RoomCommand::MessageSent { room, author: user, nonce: String::new(), content: String::new() },
            RoomCommand::MessageLiked { room, user, message: crate::MessageId::new() },
            RoomCommand::RoomEnded { room },
        ] {
            let subject = room_command(&command);
            let filters = partition_filter(partition(room));
            assert_eq!(filters.iter().filter(|f| matches(f, &subject)).count(), 1, "{subject}");
        }
    }

    #[test]
    fn rooms_are_spread_over_all_partitions() {
        let mut counts = [0_u32; PARTITIONS as usize];
        for _ in 0..8_000 {
            counts[partition(RoomId::new()) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }
}
