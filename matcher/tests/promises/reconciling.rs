//! Ghosts that no event can remove, made by hand: reconciliation finds them.

use crate::world::{World, by_id, count, good};
use mongodb::bson::{Bson, DateTime, doc};
use proto::{Queue, Register, RoomId, UserState, notification::EndReason};

const OFTEN: &[&str] = &["--match-interval", "100ms", "--reconcile-interval", "200ms"];

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_its_gateway_does_not_serve_is_closed() {
    let (world, _matcher) = World::with_matcher(OFTEN).await;
    let (served, ghost) = (world.waiting(Queue::Vent).await, world.waiting(Queue::Vent).await);
    // Its session panicked: nothing is published.
    world.gateway.forget(ghost.id);
    let open = |id: proto::UserId| doc! { "_id": id.to_string(), "connection.state": "open" };
    world.becomes("the ghost is closed", async |_| count(&world.users(), open(ghost.id)).await == 0).await;
    assert_eq!(count(&world.users(), open(served.id)).await, 1, "and the other is not");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_command_was_lost_is_published_again() {
    let (world, _matcher) = World::with_matcher(OFTEN).await;
    let mut person = world.new_person().await;
    good(world.queue(person.id, Queue::Vent).await);
    person.stamp = world.gateway.open(person.id);
    assert_eq!(world.gateway.resynced().await, person.id);
    let view = world.claim(&person).await;
    assert_eq!(view.connection, Some(Register::open(person.stamp.clone())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whose_room_has_no_document_is_released() {
    let (world, _matcher) = World::with_matcher(OFTEN).await;
    let (vent, _listen, room) = world.talking().await;
    world.rooms().delete_one(by_id(room)).await.expect("deleted");
    world.becomes("nobody is in a room", async |_| count(&world.users(), doc! { "state": "paired" }).await == 0).await;
    assert_eq!(world.read(vent.id).await.state, UserState::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_members_are_elsewhere_is_closed() {
    let (world, _matcher) = World::with_matcher(OFTEN).await;
    let (vent, mut listen, room) = world.talking().await;
    world.users().delete_one(by_id(vent.id)).await.expect("deleted");
    let long_ago = doc! { "$set": { "created_at": 0_i64 } };
    world.rooms().update_one(by_id(room), long_ago).await.expect("written");
    assert_eq!(listen.ended().await, EndReason::Gone);
    world.becomes("the room is gone", async |_| count(&world.rooms(), by_id(room)).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_everything_else_forgot_is_removed_when_it_is_too_old() {
    let (world, _matcher) = World::with_matcher(OFTEN).await;
    let old = DateTime::from_millis(0);
    let forgotten = doc! {
        "_id": proto::UserId::new().to_string(), "revision": "r", "state": "idle", "last_queue_seq": 0_i64,
        "queued_at": 0_i64, "ready_at": 0_i64, "expires_at": old,
    };
    world.users().insert_one(forgotten).await.expect("written");
    let room = doc! {
        "_id": RoomId::new().to_string(), "open": true, "started": true, "created_at": 0_i64, "announced_at": 0_i64,
        "members": [member("vent"), member("listen")], "closing": Bson::Null, "expires_at": old,
    };
    world.rooms().insert_one(room).await.expect("written");
    world.becomes("nothing is left", async |_| count(&world.users(), doc! {}).await == 0).await;
    world.becomes("no room is left", async |_| count(&world.rooms(), doc! {}).await == 0).await;
}

fn member(queue: &str) -> mongodb::bson::Document {
    doc! { "user": proto::UserId::new().to_string(), "queue": queue, "queued_at": 0_i64, "entered": true }
}
