//! Who waits and whom the matcher has erased waits again, although nobody says anything.

use person::Person;
use proto::{Place, Queue, Refusal, Reply, UserCommand, UserId, UserView, subjects};
use serde_json::json;

use crate::scene::{Guest, Scene};

const WAITING: Place = Place::Waiting { queue: Queue::Vent, since_ms: 1 };

/// The matcher takes this gateway for dead for long enough to erase them; the number of the new connection.
async fn erase(scene: &mut Scene, user: UserId, epoch: u64) -> u64 {
    let view = UserView { user, epoch: 0, seen: 0, place: Place::Idle };
    let stands = scene.matcher.tell(subjects::read_user(user), view.clone()).await;
    scene.matcher.let_the_lease_lapse().await;
    let again = scene.matcher.connect(Some(epoch), Place::Idle).await;
    stands.send_replace(UserView { epoch: again, ..view });
    again
}

async fn is_queued_again(scene: &mut Scene, user: UserId, epoch: u64) {
    let asked = scene.matcher.next().await;
    let wish = |command: &UserCommand| matches!(command, UserCommand::QueueRequested { user: who, queue: Queue::Vent, .. } if *who == user);
    assert!(wish(&asked.command), "{:?}", asked.command);
    let failed = Reply::<UserView>::Refused(Refusal::Failed);
    asked.reply(&scene.matcher.bus, &failed).await.expect("answered");
    let asked = scene.matcher.next().await;
    assert!(wish(&asked.command), "until it is so: {:?}", asked.command);
    let waits = UserView { user, epoch, seen: 0, place: WAITING };
    asked.reply(&scene.matcher.bus, &Reply::Ok(waits)).await.expect("answered");
}

#[tokio::test]
async fn a_place_in_the_queue_that_was_lost_is_asked_for_again_until_it_is_there() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket, epoch } = scene.guest(WAITING).await;
    let again = erase(&mut scene, user, epoch).await;
    is_queued_again(&mut scene, user, again).await;
    drop(socket);
    let told = scene.matcher.next().await.command;
    assert!(matches!(told, UserCommand::Disconnected { epoch, .. } if epoch == again), "{told:?}");
}

#[tokio::test]
async fn so_it_is_for_the_front_ends_of_the_original() {
    let mut scene = Scene::open(&[]).await;
    let person = Person::arrive(&scene.gateway).await.expect("a person");
    let user: UserId = person.user.parse().expect("an id");
    let (socket, epoch) = tokio::join!(person.connect_and_hello(&scene.gateway), scene.matcher.connect(None, WAITING));
    let _socket = socket.expect("a connection");
    let again = erase(&mut scene, user, epoch).await;
    is_queued_again(&mut scene, user, again).await;
}

#[tokio::test]
async fn who_did_not_want_to_wait_any_more_is_not_queued_again() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket, epoch } = scene.guest(WAITING).await;
    let left = socket.start_request("leave_room", &json!({})).await.expect("asked");
    let asked = scene.matcher.next().await;
    assert!(matches!(asked.command, UserCommand::Left { .. }), "{:?}", asked.command);
    // It counts, but the answer is lost.
    let failed = Reply::<UserView>::Refused(Refusal::Failed);
    asked.reply(&scene.matcher.bus, &failed).await.expect("answered");
    assert_eq!(left.await.expect("an answer")["code"], "unavailable");

    let again = erase(&mut scene, user, epoch).await;
    drop(socket);
    let told = scene.matcher.next().await.command;
    assert!(matches!(told, UserCommand::Disconnected { epoch, .. } if epoch == again), "{told:?}");
}
