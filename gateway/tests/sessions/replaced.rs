//! Another connection speaks for somebody, or seems to.

use proto::{Live, Place, UserCommand, UserView, subjects};

use crate::scene::{Guest, Scene};

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
