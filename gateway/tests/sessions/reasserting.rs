//! A gateway whose lease had lapsed says again who is here.

use std::time::Duration;

use person::Person;
use proto::{
    Live, Place, Reply, RoomId, RoomView, UserCommand, UserId, UserView,
    events::{EndReason, History},
    subjects,
};
use tokio::time::timeout;

use crate::scene::{Guest, Scene};

// One thread, as a gateway has.
#[tokio::test]
async fn who_writes_while_the_matcher_does_not_answer_is_refused_in_time() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket, epoch } = scene.guest(Place::Idle).await;
    let matcher = &mut scene.matcher;

    matcher.tell(subjects::read_user(user), UserView { user, epoch: 0, seen: 0, place: Place::Idle }).await;
    matcher.let_the_lease_lapse().await;
    let asserted = matcher.next().await.command;
    assert!(matches!(asserted, UserCommand::Connected { reassert: Some(old), .. } if old == epoch), "{asserted:?}");
    for _ in 0..2 {
        let refused = timeout(Duration::from_secs(8), socket.send("is anybody there?")).await;
        let refused = refused.expect("told in time").expect_err("nobody keeps it").to_string();
        assert!(refused.contains("unavailable"), "{refused}");
    }
}

#[tokio::test]
async fn an_end_that_is_told_again_does_not_hide_a_newer_connection() {
    let mut scene = Scene::open(&[]).await;
    let Guest { user, socket, epoch } = scene.guest(Place::Idle).await;
    let matcher = &mut scene.matcher;
    matcher.tell(subjects::read_user(user), UserView { user, epoch, seen: 0, place: Place::Idle }).await;

    // They came back after the end of their room, of which they are told now.
    let room =
        RoomView { room: RoomId::new(), partner: UserId::new(), joined: false, begun: false, partner_connected: true };
    matcher.bus.tell(Some(room.room), user, &Live::Matched(room.clone())).await.expect("told");
    let entered = matcher.next().await;
    assert!(matches!(entered.command, UserCommand::Joined { .. }), "{:?}", entered.command);
    let idle = UserView { user, epoch, seen: 0, place: Place::Idle };
    entered.reply(&matcher.bus, &Reply::Ok(idle)).await.expect("answered");
    matcher.bus.tell(Some(room.room), user, &Live::Ended { reason: EndReason::Left }).await.expect("told");
    socket.wait_for("room_ended").await.expect("told of it");
    drop(socket);
    let told = matcher.next().await.command;
    assert!(
        matches!(told, UserCommand::Disconnected { user: who, epoch: gone, .. } if (who, gone) == (user, epoch)),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_connection_that_was_asserted_again_is_told_of_when_it_goes_also_when_its_room_is_over() {
    let mut scene = Scene::open(&[]).await;
    let room =
        RoomView { room: RoomId::new(), partner: UserId::new(), joined: true, begun: true, partner_connected: true };
    scene.matcher.tell(subjects::read_history(room.room), History { messages: Vec::new() }).await;

    let place = Place::Room(room);
    let Guest { user, socket, epoch } = scene.guest(place).await;
    let matcher = &mut scene.matcher;
    assert_eq!(socket.wait_for("resumed").await.expect("a snapshot")["state"], "room");

    // The matcher takes the people of this gateway for gone; the room ends while one is asserted again.
    matcher.tell(subjects::read_user(user), UserView { user, epoch: 0, seen: 0, place: Place::Idle }).await;
    matcher.let_the_lease_lapse().await;
    let again = matcher.connect(Some(epoch), Place::Idle).await;
    socket.wait_for("room_ended").await.expect("told of it");
    drop(socket);

    let told = matcher.next().await.command;
    assert!(
        matches!(told, UserCommand::Disconnected { user: who, epoch, .. } if (who, epoch) == (user, again)),
        "{told:?}"
    );
}

#[tokio::test]
async fn who_goes_while_they_are_asserted_again_is_told_of_although_the_assertion_counts() {
    let mut scene = Scene::open(&["--result-deadline=1s"]).await;
    let Guest { user, socket, epoch } = scene.guest(Place::Idle).await;
    let matcher = &mut scene.matcher;
    let gone = UserView { user, epoch: 0, seen: 0, place: Place::Idle };
    let stands = matcher.tell(subjects::read_user(user), gone.clone()).await;
    matcher.let_the_lease_lapse().await;
    let asserted = matcher.next().await;
    assert!(matches!(asserted.command, UserCommand::Connected { reassert: Some(old), .. } if old == epoch));

    // It is applied, but the answer is lost.
    stands.send_replace(UserView { epoch: asserted.sequence, ..gone });
    drop(socket);
    let told = matcher.next().await.command;
    let UserCommand::Disconnected { user: who, epoch, .. } = told else { panic!("{told:?}") };
    assert_eq!((who, epoch), (user, asserted.sequence));
}

/// Nobody here knows which of the two the matcher has taken.
#[tokio::test]
async fn who_goes_after_two_attempts_without_an_answer_is_told_of_under_every_number() {
    let mut scene = Scene::open(&["--result-deadline=1s"]).await;
    let Guest { user, socket, epoch } = scene.guest(Place::Idle).await;
    let matcher = &mut scene.matcher;
    matcher.tell(subjects::read_user(user), UserView { user, epoch: 0, seen: 0, place: Place::Idle }).await;
    matcher.let_the_lease_lapse().await;
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let asserted = matcher.next().await;
        assert!(matches!(asserted.command, UserCommand::Connected { reassert: Some(old), .. } if old == epoch));
        numbers.push(asserted.sequence);
    }
    numbers.push(epoch);

    drop(socket);
    for number in numbers {
        let told = matcher.next().await.command;
        assert!(matches!(told, UserCommand::Disconnected { epoch, .. } if epoch == number), "{number}: {told:?}");
    }
}

/// The page of an old client is closed while its gateway waits for the matcher.
#[tokio::test]
async fn an_old_client_that_says_goodbye_before_it_is_answered_has_left_and_is_gone() {
    let mut scene = Scene::open(&["--result-deadline=1s"]).await;
    let person = Person::arrive(&scene.gateway).await.expect("a person");
    let user: UserId = person.user.parse().expect("an id");
    let matcher = &mut scene.matcher;
    let socket = person.connect_and_hello(&scene.gateway).await.expect("a connection");
    let unanswered = matcher.next().await;
    assert!(matches!(unanswered.command, UserCommand::Connected { .. }), "{:?}", unanswered.command);

    socket.send_disconnect().await.expect("said");
    let told = matcher.next().await.command;
    assert!(matches!(told, UserCommand::Left { user: who } if who == user), "{told:?}");
    let told = matcher.next().await.command;
    assert!(matches!(told, UserCommand::Disconnected { epoch, .. } if epoch == unanswered.sequence), "{told:?}");
}
