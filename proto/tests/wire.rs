//! The bytes on the bus, compared with committed files. Services of two versions run concurrently during a roll-out:
//! when a test fails, fix the code, not the file. A file changes only together with `proto::commands::VERSION`, or
//! before the first release.

use proto::{
    CommandId, ConnectionStamp, ConnectionState, Message, Notification, Queue, Refusal, Register, Reply, RoomCommand,
    RoomView, UserCommand, UserState, UserView,
    admin::{GatewayReport, QueueDepth, QueueReport, RoomEvent, RoomEventKind},
    bus::{decode_payload, encode},
    commands::{DisconnectCause, Liked},
    notification::{EndReason, History, HistoryRequest, MatchMade, MatchedMember, QueueStatus},
    presence::{ConnectionsReply, ConnectionsRequest, ResyncRequest, ServedConnection},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{fmt::Debug, path::PathBuf};

const USER: &str = "0f0e0d0c0b0a49088706050403020100";
const PARTNER: &str = "1f1e1d1c1b1a49188716151413121110";
const ROOM: &str = "2f2e2d2c2b2a49288726252423222120";
const MESSAGE: &str = "0190a5e0000070008000000000000001";
const COMMAND: &str = "0190a5e0000070008000000000000002";
const GATEWAY: &str = "gateway-1-0a1b2c3d";

fn id<T: std::str::FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

fn golden(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("a golden file is JSON")
}

/// Serializes to what the file holds, and deserializes from it.
fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: &T) {
    let golden = golden(name);
    assert_eq!(serde_json::to_value(value).expect("serializes"), golden, "{name} is written differently");
    assert_eq!(&serde_json::from_value::<T>(golden).expect("deserializes"), value, "{name} is read differently");
}

fn same_command<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, command: &T) {
    let golden = golden(name);
    let mut written: Value = serde_json::from_slice(&encode(command)).expect("JSON");
    assert!(written["at_ms"].as_i64().expect("a time") > 1_700_000_000_000);
    written["at_ms"] = json!(1_700_000_000_000_i64);
    assert_eq!(written, golden, "{name} is written differently");
    let (read, at_ms) = decode_payload::<T>(golden.to_string().as_bytes()).expect("decodes");
    assert_eq!((&read, at_ms), (command, 1_700_000_000_000), "{name} is read differently");
}

#[test]
fn commands_for_the_matcher_are_as_committed() {
    let user = id(USER);
    same_command("queue_requested", &UserCommand::QueueRequested { user, queue: Queue::Vent, settle_ms: 150 });
    same_command("left", &UserCommand::Left { user });
    same_command("connected", &UserCommand::Connected { user, stamp: stamp() });
    let cause = DisconnectCause::Drained;
    same_command("disconnected", &UserCommand::Disconnected { user, stamp: stamp(), delivered_seq: 7, cause });
    same_command("entered", &UserCommand::Entered { user, room: id(ROOM) });
}

#[test]
fn commands_for_the_chat_store_are_as_committed() {
    let (room, user) = (id(ROOM), id(USER));
    let sent = RoomCommand::MessageSent { room, author: user, nonce: "n".into(), content: "hello".into() };
    same_command("message_sent", &sent);
    same_command("message_liked", &RoomCommand::MessageLiked { room, user, message: id(MESSAGE) });
    same_command("room_ended", &RoomCommand::RoomEnded { room });
}

fn stamp() -> ConnectionStamp {
    ConnectionStamp { opened_at_ms: 1_700_000_000_123, gateway: id(GATEWAY), counter: 42 }
}

fn view(connection: Option<ConnectionState>, state: UserState) -> Reply<UserView> {
    let connection = connection.map(|state| Register { stamp: stamp(), state });
    Reply::Ok(UserView { user: id(USER), connection, delivered_seq: 7, state })
}

fn room_view() -> RoomView {
    RoomView { room: id(ROOM), partner: id(PARTNER), entered: true, started: false, partner_connected: true }
}

#[test]
fn replies_are_as_committed() {
    same("reply_idle", &view(None, UserState::Idle));
    let waiting = UserState::Waiting { queue: Queue::Listen, since_ms: 1_700_000_000_000 };
    same("reply_waiting", &view(Some(ConnectionState::Open), waiting));
    same("reply_room", &view(Some(ConnectionState::Drained), UserState::Room(room_view())));
    same("reply_refused", &Reply::<UserView>::Refused(Refusal::AlreadyWaiting));
    same("reply_message", &Reply::Ok(message()));
    same("reply_liked", &Reply::Ok(Liked { message_id: id(MESSAGE) }));
}

fn message() -> Message {
    Message {
        id: id(MESSAGE),
        room_id: id(ROOM),
        author: id(USER),
        timestamp: 1_700_000_000.25,
        nonce: "n".into(),
        content: "hello".into(),
        liked: false,
        seq: 3,
    }
}

#[test]
fn notifications_are_as_committed() {
    same(
        "notification_queued",
        &Notification::Queued { queue: Queue::Vent, since_ms: 1_700_000_000_000, connected: false },
    );
    same("notification_matched", &Notification::Matched(room_view()));
    same("notification_requeued", &Notification::Requeued { queue: Queue::Vent, since_ms: 1_700_000_000_000 });
    same("notification_moved", &Notification::Moved { from: Queue::Vent, to: Queue::Talk });
    same("notification_entered", &Notification::Entered { user: id(USER), started: true });
    same("notification_partner", &Notification::Partner { connected: false });
    same("notification_ended", &Notification::Ended { reason: EndReason::Gone });
    same("notification_message", &Notification::Message(message()));
    same("notification_liked", &Notification::Liked { message_id: id(MESSAGE), user_id: id(PARTNER) });
    same("notification_typing", &Notification::Typing { typing: true });
    same(
        "notification_superseded",
        &Notification::Superseded { register: Register { stamp: stamp(), state: ConnectionState::Lost } },
    );
}

fn members() -> [MatchedMember; 2] {
    [
        MatchedMember { user: id(USER), queue: Queue::Vent, waited_ms: 1200 },
        MatchedMember { user: id(PARTNER), queue: Queue::Listen, waited_ms: 30 },
    ]
}

#[test]
fn events_of_a_room_are_as_committed() {
    let (user, message) = (id(USER), id(MESSAGE));
    let (reason, requeued) = (EndReason::Gone, vec![id(PARTNER)]);
    let ended = RoomEventKind::Ended { reason, started: false, lasted_ms: 900, requeued };
    for kind in [
        RoomEventKind::Created { members: members() },
        RoomEventKind::Entered { user, started: false },
        RoomEventKind::Stored { message, seq: 3, author: user, bytes: 5 },
        RoomEventKind::Liked { message, user: id(PARTNER) },
        RoomEventKind::Disconnected { user },
        RoomEventKind::Reconnected { user },
        RoomEventKind::Left { user },
        ended,
        RoomEventKind::Erased,
    ] {
        let name = format!("event_{}", kind.name());
        same(&name, &RoomEvent { room: id(ROOM), at_ms: 1_700_000_000_000, kind });
    }
}

#[test]
fn reports_for_operators_are_as_committed() {
    let depth = |waiting, oldest_ms| QueueDepth { waiting, oldest_ms };
    let leader = Some("matcher-1-0a1b2c3d".to_owned());
    same("queue_report", &QueueReport { vent: depth(1, 2500), listen: depth(0, 0), talk: depth(2, 300), leader });
    same("gateway_report", &GatewayReport { gateway: id(GATEWAY), sockets: 3, in_rooms: 2, draining: false });
}

#[test]
fn matches_queue_status_and_history_are_as_committed() {
    same("match_made", &MatchMade { room: id(ROOM), members: members() });
    same("queue_status", &QueueStatus { vent: 1, listen: 0, talk: 2 });
    same("history_request", &HistoryRequest { user: id(USER), after_seq: 2 });
    same("history", &Reply::Ok(History { messages: vec![message()], more: true }));
}

#[test]
fn requests_to_gateways_are_as_committed() {
    same("gateway_pending", &id::<CommandId>(COMMAND));
    same("gateway_pending_reply", &true);
    same("gateway_connections", &ConnectionsRequest { after: Some(id(USER)) });
    let served = ServedConnection { user: id(PARTNER), opened_at_ms: 1_700_000_000_123, counter: 42 };
    same("gateway_connections_reply", &ConnectionsReply { connections: vec![served], more: true });
    same("gateway_resync", &ResyncRequest { users: vec![id(USER), id(PARTNER)] });
    same("gateway_resync_reply", &2_u64);
}

#[test]
fn a_payload_of_another_version_or_type_is_refused() {
    for bad in [
        r#"{"v":2,"at_ms":0,"type":"left","user":"0f0e0d0c0b0a49088706050403020100"}"#,
        r#"{"v":1,"at_ms":0,"type":"unheard_of"}"#,
        r#"{"v":1,"at_ms":0,"type":"left","user":{"$ne":null}}"#,
        "[]",
        "",
    ] {
        assert!(decode_payload::<UserCommand>(bad.as_bytes()).is_err(), "{bad}");
    }
}
