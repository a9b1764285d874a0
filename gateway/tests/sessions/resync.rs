//! After a reconnect to NATS each session fetches its user, and acts on what it finds.

use person::Person;
use proto::{
    ConnectionStamp, Queue, Refusal, Register, Reply, UserCommand, UserId, UserState, UserView,
    presence::ResyncRequest, subjects,
};
use serde_json::json;

use crate::scene::{Guest, Matcher, Scene, view};

const WAITING: UserState = UserState::Waiting { queue: Queue::Vent, since_ms: 1 };

fn unknown(user: UserId) -> UserView {
    UserView { user, connection: None, delivered_seq: 0, state: UserState::Idle }
}

/// Has the sessions of a user resync, as the leader does; how many there are.
async fn request_resync(scene: &Scene, stamp: &ConnectionStamp, user: UserId) -> u64 {
    let subject = subjects::gateway_resync(&stamp.gateway);
    scene.matcher.bus.request(subject, &ResyncRequest { users: vec![user] }).await.expect("a reply")
}

#[tokio::test]
async fn after_a_reconnect_a_claim_that_the_matcher_does_not_have_is_made_again_with_the_same_stamp() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket: _socket, stamp } = scene.guest(UserState::Idle).await;
    let _served = scene.matcher.serve_user(unknown(user)).await;
    scene.nats.kill().await;
    scene.nats.restart().await.expect("NATS again");
    // A pull that is lost with its server would be repeated only after half a minute.
    scene.matcher = Matcher::start(&scene.nats).await;
    assert_eq!(scene.matcher.connect(UserState::Idle).await, stamp);
}

#[tokio::test]
async fn a_client_whose_user_has_a_newer_connection_receives_replaced() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket, stamp } = scene.guest(UserState::Idle).await;
    let newer = ConnectionStamp { counter: stamp.counter + 1, ..stamp.clone() };
    let _served = scene.matcher.serve_user(view(user, &newer, UserState::Idle)).await;
    assert_eq!(request_resync(&scene, &stamp, user).await, 1);
    socket.wait_for("replaced").await.expect("replaced");
}

#[tokio::test]
async fn a_claim_that_was_closed_although_its_socket_is_open_is_made_with_a_new_stamp() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket: _socket, stamp } = scene.guest(UserState::Idle).await;
    let closed = Register { stamp: stamp.clone(), state: proto::ConnectionState::Lost };
    let _served = scene.matcher.serve_user(UserView { connection: Some(closed), ..unknown(user) }).await;
    request_resync(&scene, &stamp, user).await;
    let again = scene.matcher.connect(UserState::Idle).await;
    assert!(again > stamp && again.gateway == stamp.gateway, "{again:?} after {stamp:?}");
}

async fn is_requeued(scene: &mut Scene, user: UserId, stamp: &ConnectionStamp) {
    let _served = scene.matcher.serve_user(view(user, stamp, UserState::Idle)).await;
    request_resync(scene, stamp, user).await;
    let wish = |command: &UserCommand| matches!(command, UserCommand::QueueRequested { user: who, queue: Queue::Vent, .. } if *who == user);
    let requested = scene.matcher.next().await;
    assert!(wish(&requested.command), "{:?}", requested.command);
    let failed = Reply::<UserView>::Refused(Refusal::Failed);
    requested.reply(&scene.matcher.bus, &failed).await.expect("replied");
    let requested = scene.matcher.next().await;
    assert!(wish(&requested.command), "until it works: {:?}", requested.command);
    scene.matcher.reply(&requested, view(user, stamp, WAITING)).await;
}

#[tokio::test]
async fn a_place_in_the_queue_that_was_lost_is_requested_again_until_it_is_there() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket, stamp } = scene.guest(WAITING).await;
    is_requeued(&mut scene, user, &stamp).await;
    drop(socket);
    let closed = scene.matcher.next().await.command;
    assert!(matches!(&closed, UserCommand::Disconnected { stamp: own, .. } if *own == stamp), "{closed:?}");
}

#[tokio::test]
async fn so_it_is_for_legacy_clients() {
    let mut scene = Scene::open(&[]).await;
    let person = Person::arrive(&scene.gateway).await.expect("a user");
    let user: UserId = person.user.parse().expect("an id");
    let (socket, stamp) = tokio::join!(person.connect_and_hello(&scene.gateway), scene.matcher.connect(WAITING));
    let _socket = socket.expect("a connection");
    is_requeued(&mut scene, user, &stamp).await;
}

#[tokio::test]
async fn a_client_that_does_not_want_to_wait_any_more_is_not_queued_again() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket, stamp } = scene.guest(WAITING).await;
    let left = socket.start_request("leave_room", &json!({})).await.expect("sent");
    let command = scene.matcher.next().await;
    assert!(matches!(command.command, UserCommand::Left { .. }), "{:?}", command.command);
    // It is applied, but its reply is lost.
    let failed = Reply::<UserView>::Refused(Refusal::Failed);
    command.reply(&scene.matcher.bus, &failed).await.expect("replied");
    assert_eq!(left.await.expect("an acknowledgement")["code"], "unavailable");

    let _served = scene.matcher.serve_user(unknown(user)).await;
    request_resync(&scene, &stamp, user).await;
    assert_eq!(scene.matcher.connect(UserState::Idle).await, stamp);
    drop(socket);
    let closed = scene.matcher.next().await.command;
    assert!(matches!(&closed, UserCommand::Disconnected { .. }), "{closed:?}");
}
