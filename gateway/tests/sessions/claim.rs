//! A claim is published with one stamp, again and again, until the matcher replies.

use person::Person;
use proto::{
    ConnectionStamp, Notification, Register, UserCommand, UserId, UserState, UserView,
    commands::DisconnectCause,
    presence::{ConnectionsReply, ConnectionsRequest},
    subjects,
};
use serde_json::json;
use tokio::time::timeout;

use crate::scene::{Guest, PATIENCE, Scene, view};

#[tokio::test]
async fn a_claim_without_a_reply_is_repeated_with_its_stamp_while_requests_are_refused_in_time() {
    let mut scene = Scene::open(&["--result-deadline=1s"]).await;
    let person = Person::arrive(&scene.gateway).await.expect("a user");
    let socket = person.connect(&scene.gateway).await.expect("a connection");
    let matcher = &mut scene.matcher;
    let (_, first) = matcher.next_claim().await;

    let refused = timeout(PATIENCE, socket.request("request_queue", json!({"queue": "vent"}))).await;
    let refused = refused.expect("refused in time").expect("an acknowledgement");
    assert_eq!(refused["code"], "unavailable");

    let (again, second) = matcher.next_claim().await;
    assert_eq!(second, first, "the same stamp in every retry");
    matcher.reply(&again, view(again.command.user(), &first, UserState::Idle)).await;
    assert_eq!(socket.wait_for("resumed").await.expect("a snapshot")["state"], "idle");
}

#[tokio::test]
async fn a_fresh_claim_that_lost_to_a_clock_that_is_ahead_is_made_again_one_later() {
    let mut scene = Scene::open(&[]).await;
    let person = Person::arrive(&scene.gateway).await.expect("a user");
    let (socket, matcher) = (person.connect(&scene.gateway).await.expect("a connection"), &mut scene.matcher);
    let (claim, stamp) = matcher.next_claim().await;
    let ahead = ConnectionStamp {
        opened_at_ms: stamp.opened_at_ms + 60_000,
        gateway: "elsewhere".parse().expect("an id"),
        counter: 1,
    };
    matcher.reply(&claim, view(claim.command.user(), &ahead, UserState::Idle)).await;
    let (claim, again) = matcher.next_claim().await;
    assert_eq!((again.opened_at_ms, &again.gateway), (ahead.opened_at_ms + 1, &stamp.gateway));
    matcher.reply(&claim, view(claim.command.user(), &again, UserState::Idle)).await;
    socket.wait_for("resumed").await.expect("a snapshot");
}

#[tokio::test]
async fn a_client_whose_connection_a_newer_one_supersedes_receives_replaced_and_nothing_is_published_of_it() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket, stamp } = scene.guest(UserState::Idle).await;
    let other = scene.guest(UserState::Idle).await;
    let matcher = &mut scene.matcher;
    let older = ConnectionStamp { opened_at_ms: stamp.opened_at_ms - 1, ..stamp.clone() };
    let newer = ConnectionStamp { opened_at_ms: stamp.opened_at_ms + 1, ..stamp.clone() };
    for stamp in [older, newer] {
        matcher
            .bus
            .notify_user(None, user, &Notification::Superseded { register: proto::Register::open(stamp) })
            .await
            .expect("notified");
    }
    socket.wait_for("replaced").await.expect("replaced");
    drop((socket, other.socket));
    let next = matcher.next().await.command;
    assert!(matches!(&next, UserCommand::Disconnected { stamp, .. } if *stamp == other.stamp), "{next:?}");
}

#[tokio::test]
async fn a_connection_is_listed_before_it_is_published_and_not_any_more_once_its_end_is() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket, stamp } = scene.guest(UserState::Idle).await;
    let matcher = &mut scene.matcher;
    let listed = async |matcher: &crate::scene::Matcher| {
        let subject = subjects::gateway_connections(&stamp.gateway);
        let page: ConnectionsReply =
            matcher.bus.request(subject, &ConnectionsRequest { after: None }).await.expect("a page");
        page.connections.iter().map(|served| (served.user, served.stamp(stamp.gateway.clone()))).collect::<Vec<_>>()
    };
    assert_eq!(listed(matcher).await, [(user, stamp.clone())]);
    drop(socket);
    let UserCommand::Disconnected { user: closed, stamp: closed_stamp, cause, .. } = matcher.next().await.command
    else {
        panic!("not a disconnect")
    };
    assert_eq!((closed, &closed_stamp, cause), (user, &stamp, DisconnectCause::Lost));
    assert_eq!(listed(matcher).await, []);
}

#[tokio::test]
async fn a_queue_command_is_pending_only_while_its_client_waits() {
    let mut scene = Scene::open(&["--result-deadline=1s"]).await;
    let Guest { user: _, socket, stamp } = scene.guest(UserState::Idle).await;
    let matcher = &mut scene.matcher;
    let asked = socket.start_request("request_queue", &json!({"queue": "vent"})).await.expect("sent");
    let command = matcher.next().await;
    assert!(matches!(command.command, UserCommand::QueueRequested { .. }), "{:?}", command.command);
    let id = command.raw.headers.as_ref().and_then(|headers| headers.get("Nats-Msg-Id")).expect("an id").to_string();
    let subject = subjects::gateway_pending(&stamp.gateway);
    let pending = async || matcher.bus.request::<_, bool>(subject.clone(), &id).await.expect("a reply");
    assert!(pending().await);
    assert_eq!(asked.await.expect("an acknowledgement")["code"], "unavailable");
    assert!(!pending().await, "the client was told that nothing came of it");
}

/// The page of a legacy client is closed while its gateway waits for the matcher.
#[tokio::test]
async fn a_legacy_client_that_disconnects_before_there_is_a_reply_has_left_and_its_connection_is_closed() {
    let mut scene = Scene::open(&["--result-deadline=1s"]).await;
    let person = Person::arrive(&scene.gateway).await.expect("a user");
    let user: UserId = person.user.parse().expect("an id");
    let socket = person.connect_and_hello(&scene.gateway).await.expect("a connection");
    let matcher = &mut scene.matcher;
    let (_, claimed) = matcher.next_claim().await;
    socket.send_disconnect().await.expect("sent");
    let left = matcher.next().await.command;
    assert!(matches!(left, UserCommand::Left { user: who } if who == user), "{left:?}");
    let closed = matcher.next().await.command;
    assert!(matches!(&closed, UserCommand::Disconnected { stamp, .. } if *stamp == claimed), "{closed:?}");
}

/// Erased with their room, a client that queues by REST is claimed for again, with the same stamp.
#[tokio::test]
async fn a_released_user_who_is_queued_is_claimed_again_with_the_same_stamp() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket, stamp } = scene.guest(UserState::Idle).await;
    let matcher = &mut scene.matcher;
    let left = socket.start_request("leave_room", &json!({})).await.expect("sent");
    let command = matcher.next().await;
    matcher.reply(&command, UserView { connection: None::<Register>, ..view(user, &stamp, UserState::Idle) }).await;
    assert_eq!(left.await.expect("an acknowledgement")["success"], true);

    let queued = Notification::Queued { queue: proto::Queue::Talk, since_ms: 1, connected: false };
    matcher.bus.notify_user(None, user, &queued).await.expect("notified");
    assert_eq!(matcher.connect(UserState::Waiting { queue: proto::Queue::Talk, since_ms: 1 }).await, stamp);
}
