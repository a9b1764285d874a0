//! A client that stops reading costs bounded memory: history stops coming, and what is live closes its connection.

use std::time::Duration;

use futures_util::StreamExt as _;
use proto::{
    Message, MessageId, Notification, Reply, RoomId, RoomView, UserCommand, UserId, UserState,
    notification::{History, HistoryRequest},
    subjects,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::scene::{Guest, Matcher, PATIENCE, Scene};

/// The longest text that a message may have.
const TEXT: usize = 16 * 1024;
/// Messages on one page of history.
const PAGE: u64 = 8;
/// What the system may buffer of one connection, both ends, and the megabyte of the outbox: far less than what is sent.
const BOUND: usize = 32 << 20;

fn room() -> RoomView {
    RoomView { room: RoomId::new(), partner: UserId::new(), entered: true, started: true, partner_connected: true }
}

fn message(room: &RoomView, seq: u64) -> Message {
    Message {
        id: MessageId::new(),
        room_id: room.room,
        author: room.partner,
        timestamp: 0.0,
        nonce: seq.to_string(),
        content: "x".repeat(TEXT),
        liked: false,
        seq,
    }
}

/// Serves a history, with an end or without one; each request is noted.
async fn serve_history(matcher: &Matcher, room: RoomView, endless: bool) -> mpsc::UnboundedReceiver<u64> {
    let bus = matcher.bus.clone();
    let mut requests = bus.client.subscribe(subjects::read_history(room.room)).await.expect("subscribed");
    let (noted, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let HistoryRequest { after_seq, .. } = serde_json::from_slice(&request.payload).expect("a request");
            let page = if endless { after_seq + 1..after_seq + 1 + PAGE } else { 0..0 };
            let history = History { messages: page.map(|seq| message(&room, seq)).collect(), more: endless };
            bus.publish(request.reply.expect("a request"), &Reply::Ok(history)).await.expect("replied");
            let _test_is_over = noted.send(after_seq);
        }
    });
    receiver
}

#[tokio::test]
async fn no_more_history_is_fetched_for_a_client_that_does_not_read() {
    let mut scene = Scene::open(&[]).await;
    let room = room();
    let mut requests = serve_history(&scene.matcher, room.clone(), true).await;
    let guest = scene.guest(UserState::Room(room)).await;
    guest.socket.stall();

    let mut pages = 0;
    while timeout(Duration::from_secs(1), requests.recv()).await.is_ok() {
        pages += 1;
        assert!(pages * (PAGE as usize) * TEXT < BOUND, "history goes on although nobody reads it");
    }
    assert!(pages > 1, "the first pages fit into the buffers of the system");
}

#[tokio::test]
async fn a_client_that_does_not_read_what_is_live_is_closed_long_before_its_heartbeat_is_missed() {
    let mut scene = Scene::open(&[]).await;
    let room = room();
    let _requests = serve_history(&scene.matcher, room.clone(), false).await;
    let Guest { user, socket, stamp } = scene.guest(UserState::Room(room.clone())).await;
    socket.stall();

    let bus = scene.matcher.bus.clone();
    let flood = async {
        for seq in 1..=(BOUND / TEXT) as u64 {
            let notification = Notification::Message(message(&room, seq));
            bus.notify_user(Some(room.room), user, &notification).await.expect("notified");
        }
        std::future::pending::<()>().await;
    };
    let began = Instant::now();
    let closed = tokio::select! {
        closed = timeout(PATIENCE, scene.matcher.next()) => closed.expect("closed in time").command,
        () = flood => unreachable!(),
    };
    let UserCommand::Disconnected { stamp: own, delivered_seq, .. } = closed else { panic!("{closed:?}") };
    assert_eq!(own, stamp);
    assert!(delivered_seq < (BOUND / TEXT) as u64, "not all of it has arrived");
    assert!(began.elapsed() < Duration::from_secs(8), "a heartbeat is missed after 10 s and more");
}
