//! What legacy clients do while the matcher's stream takes nothing is stored once it does again, and once.

use person::Person;
use proto::{UserCommand, UserId, UserState, streams};
use serde_json::json;

use crate::scene::{Matcher, Scene};

#[tokio::test]
async fn a_legacy_client_that_leaves_again_and_again_during_an_outage_leaves_once() {
    let mut scene = Scene::open(&["--result-deadline=200ms"]).await;
    let person = Person::arrive(&scene.gateway).await.expect("a user");
    let user: UserId = person.user.parse().expect("an id");
    let (socket, stamp) =
        tokio::join!(person.connect_and_hello(&scene.gateway), scene.matcher.connect(UserState::Idle));
    let (socket, bus) = (socket.expect("a connection"), scene.matcher.bus.clone());
    bus.js.delete_stream(streams::USERS).await.expect("deleted");

    for _ in 0..5 {
        // Acknowledged when it was given up for now, and is stored later.
        let left = socket.request("leave_room", json!(person.secret)).await.expect("an acknowledgement");
        assert_eq!(left["success"], true);
    }
    drop(socket);

    let mut matcher = Matcher::start(&scene.nats).await;
    let left = matcher.next().await.command;
    assert!(matches!(left, UserCommand::Left { user: who } if who == user), "{left:?}");
    let closed = matcher.next().await.command;
    assert!(matches!(&closed, UserCommand::Disconnected { stamp: own, .. } if *own == stamp), "{closed:?}");
    let another = Person::arrive(&scene.gateway).await.expect("a user");
    let (_socket, _) = tokio::join!(another.connect(&scene.gateway), async {
        let (claim, _) = matcher.next_claim().await;
        assert_eq!(claim.command.user().to_string(), another.user, "nothing came in between");
    });
}
