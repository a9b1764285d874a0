//! Another connection speaks for somebody, or seems to.

use futures_util::StreamExt as _;
use person::Person;
use proto::{Live, Place, Refusal, Reply, RoomId, RoomView, UserCommand, UserId, UserView, subjects};
use tokio::time::timeout;

use crate::scene::{Guest, PATIENCE, Scene};

#[tokio::test]
async fn whom_a_newer_connection_replaces_is_told_so() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket, epoch } = scene.guest(Place::Idle).await;
    let (matcher, newer) = (&mut scene.matcher, epoch + 1);
    matcher.tell(subjects::read_user(user), UserView { user, epoch: newer, seen: 0, place: Place::Idle }).await;

    matcher.bus.tell(None, user, &Live::Replaced { epoch: newer }).await.expect("told");
    socket.wait_for("replaced").await.expect("told of it");
}

/// What was said of it hung in the bus, and came after the newer connection; then it was taken back.
#[tokio::test]
async fn an_older_attempt_that_the_bus_tells_late_replaces_nobody() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket, epoch } = scene.guest(Place::Idle).await;
    let matcher = &mut scene.matcher;
    matcher.tell(subjects::read_user(user), UserView { user, epoch: 0, seen: 0, place: Place::Idle }).await;

    matcher.bus.tell(None, user, &Live::Replaced { epoch: epoch + 1 }).await.expect("told");
    let again = matcher.connect(Some(epoch), Place::Idle).await;
    drop(socket);
    let told = matcher.next().await.command;
    let UserCommand::Disconnected { user: who, epoch, .. } = told else { panic!("{told:?}") };
    assert_eq!((who, epoch), (user, again));
}

/// As when it renews its lease, or has a connection to the bus again.
#[tokio::test]
async fn nor_does_it_when_this_one_looks_by_itself_before_it_is_taken_back() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket: _socket, epoch } = scene.guest(Place::Idle).await;
    let matcher = &mut scene.matcher;
    let mut questions = matcher.bus.client.subscribe(subjects::read_user(user)).await.expect("subscribed");
    matcher.let_the_lease_lapse().await;
    for known in [epoch + 1, 0] {
        let question = timeout(PATIENCE, questions.next()).await.expect("asked in time").expect("a question");
        let view = Reply::Ok(UserView { user, epoch: known, seen: 0, place: Place::Idle });
        matcher.bus.publish(question.reply.expect("a question"), &view).await.expect("answered");
    }
    matcher.connect(Some(epoch), Place::Idle).await;
}

/// The matcher takes a given-up attempt for newer, which is gone by then.
#[tokio::test]
async fn who_is_refused_connects_again_when_nobody_else_is_there() {
    let mut scene = Scene::open(&[]).await;
    let person = Person::arrive(&scene.gateway).await.expect("a person");
    let user: UserId = person.user.parse().expect("an id");
    let matcher = &mut scene.matcher;
    matcher.tell(subjects::read_user(user), UserView { user, epoch: 0, seen: 0, place: Place::Idle }).await;
    let connected = async {
        let refused = matcher.next().await;
        assert!(matches!(refused.command, UserCommand::Connected { .. }), "{:?}", refused.command);
        refused.reply(&matcher.bus, &Reply::<UserView>::Refused(Refusal::Outdated)).await.expect("answered");
        matcher.connect(None, Place::Idle).await
    };
    let (socket, _) = tokio::join!(person.connect(&scene.gateway), connected);
    socket.expect("a connection").wait_for("resumed").await.expect("a snapshot");
}

/// The newer one has not.
#[tokio::test]
async fn an_old_client_that_says_goodbye_when_it_is_replaced_has_not_left() {
    let mut scene = Scene::open(&[]).await;
    let person = Person::arrive(&scene.gateway).await.expect("a person");
    let user: UserId = person.user.parse().expect("an id");
    let matcher = &mut scene.matcher;
    let (socket, epoch) = tokio::join!(person.connect_and_hello(&scene.gateway), matcher.connect(None, Place::Idle));
    let socket = socket.expect("a connection");
    matcher.bus.tell(None, user, &Live::Replaced { epoch: epoch + 1 }).await.expect("told");
    let room =
        RoomView { room: RoomId::new(), partner: UserId::new(), joined: false, begun: false, partner_connected: true };
    matcher.bus.tell(Some(room.room), user, &Live::Matched(room)).await.expect("told");
    socket.wait_for("queue_complete").await.expect("both are heard");
    socket.send_disconnect().await.expect("said");
    let told = matcher.next().await.command;
    assert!(matches!(told, UserCommand::Disconnected { epoch: gone, .. } if gone == epoch), "{told:?}");
}
