//! The bytes on the bus, against committed files. Services of two versions run side by side
//! during a roll-out: when this test fails, fix the code, never the file.

use proto::{
    Live, Message, Place, Queue, Refusal, Reply, RoomCommand, RoomView, UserCommand, UserView,
    bus::{decode_payload, encode},
    commands::{Liked, Loss},
    events::{EndReason, History, HistoryRequest, MatchMade, MatchedMember, QueueStatus},
    operators::{Depth, Happened, OnGateway, RoomEvent, WhoWaits},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{fmt::Debug, path::PathBuf};

const USER: &str = "0f0e0d0c0b0a49088706050403020100";
const PARTNER: &str = "1f1e1d1c1b1a49188716151413121110";
const ROOM: &str = "2f2e2d2c2b2a49288726252423222120";
const MESSAGE: &str = "0190a5e0000070008000000000000001";

fn id<T: std::str::FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

fn golden(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("a golden file is JSON")
}

/// Written as in the file, and read from it.
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
fn commands_for_the_matcher() {
    let user = id(USER);
    same_command("queue_requested", &UserCommand::QueueRequested { user, queue: Queue::Vent, settle_ms: 150 });
    same_command("left", &UserCommand::Left { user });
    let gateway = "gateway-1".parse().expect("an id");
    same_command("connected", &UserCommand::Connected { user, gateway, reassert: Some(41) });
    same_command("disconnected", &UserCommand::Disconnected { user, epoch: 42, seen: 7, cause: Loss::Drained });
    same_command("joined", &UserCommand::Joined { user });
}

#[test]
fn commands_for_the_chat_store() {
    let (room, user) = (id(ROOM), id(USER));
    let sent = RoomCommand::MessageSent { room, author: user, nonce: "n".into(), content: "hello".into() };
    same_command("message_sent", &sent);
    same_command("message_liked", &RoomCommand::MessageLiked { room, user, message: id(MESSAGE) });
    same_command("room_ended", &RoomCommand::RoomEnded { room });
}

fn view(place: Place) -> Reply<UserView> {
    Reply::Ok(UserView { user: id(USER), epoch: 42, seen: 7, place })
}

fn room_view() -> RoomView {
    RoomView { room: id(ROOM), partner: id(PARTNER), joined: true, begun: false, partner_connected: true }
}

#[test]
fn replies() {
    same("reply_idle", &view(Place::Idle));
    same("reply_waiting", &view(Place::Waiting { queue: Queue::Listen, since_ms: 1_700_000_000_000 }));
    same("reply_room", &view(Place::Room(room_view())));
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
fn live_events() {
    same("live_queued", &Live::Queued { queue: Queue::Vent, since_ms: 1_700_000_000_000 });
    same("live_matched", &Live::Matched(room_view()));
    same("live_unmatched", &Live::Unmatched { queue: Queue::Vent, since_ms: 1_700_000_000_000 });
    same("live_moved", &Live::Moved { from: Queue::Vent, to: Queue::Talk });
    same("live_joined", &Live::Joined { user: id(USER), begun: true });
    same("live_partner", &Live::Partner { connected: false });
    same("live_ended", &Live::Ended { reason: EndReason::Gone });
    same("live_message", &Live::Message(message()));
    same("live_liked", &Live::Liked { message_id: id(MESSAGE), user_id: id(PARTNER) });
    same("live_typing", &Live::Typing { typing: true });
    same("live_replaced", &Live::Replaced { epoch: 43 });
}

fn members() -> [MatchedMember; 2] {
    [
        MatchedMember { user: id(USER), queue: Queue::Vent, waited_ms: 1200 },
        MatchedMember { user: id(PARTNER), queue: Queue::Listen, waited_ms: 30 },
    ]
}

#[test]
fn what_operators_are_told_of_a_room() {
    let (user, message) = (id(USER), id(MESSAGE));
    let ended = Happened::Ended { reason: EndReason::Gone, begun: false, lasted_ms: 900, back: vec![id(PARTNER)] };
    for happened in [
        Happened::Made { members: members() },
        Happened::Entered { user, begun: false },
        Happened::Stored { message, seq: 3, author: user, bytes: 5 },
        Happened::Liked { message, user: id(PARTNER) },
        Happened::Lost { user },
        Happened::Back { user },
        Happened::Left { user },
        ended,
        Happened::Erased,
    ] {
        let name = format!("event_{}", happened.kind());
        same(&name, &RoomEvent { room: id(ROOM), at_ms: 1_700_000_000_000, happened });
    }
}

#[test]
fn what_operators_may_ask() {
    let depth = |waiting, oldest_ms| Depth { waiting, oldest_ms };
    let ticking = Some("matcher-1-0a1b2c3d".to_owned());
    same("who_waits", &WhoWaits { vent: depth(1, 2500), listen: depth(0, 0), talk: depth(2, 300), ticking });
    let gateway = id("gateway-1-0a1b2c3d");
    same("on_gateway", &OnGateway { gateway, sockets: 3, in_rooms: 2, draining: false });
}

#[test]
fn announcements_and_reads() {
    same("match_made", &MatchMade { room: id(ROOM), members: members() });
    same("queue_status", &QueueStatus { vent: 1, listen: 0, talk: 2 });
    same("history_request", &HistoryRequest { user: id(USER), after_seq: 2 });
    same("history", &Reply::Ok(History { messages: vec![message()] }));
}

#[test]
fn another_version_or_nonsense_is_refused() {
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
