//! What is left of a room.

use crate::{
    taking_over::pull,
    world::{World, message, ok},
};
use proto::{Command as _, Message, MessageId, Refusal, Reply, RoomCommand, RoomId, UserId, streams, subjects};

const SWEEPING: [&str; 4] = ["--sweep-interval", "50ms", "--sweep-grace", "50ms"];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_room_that_ended_and_later_messages_are_refused() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let (room, other) = (world.room().await, world.room().await);
    world.send(room, room.members[0], "one").await;
    let kept = world.send(other, other.members[0], "kept").await;
    let subject = message(room, room.members[0], "").subject();
    world.bus.js.publish(subject.clone(), "no command".into()).await.expect("sent").await.expect("in the stream");
    world.send(room, room.members[1], "two").await;
    assert_eq!(world.subjects_in(streams::DEAD).await.len(), 1);

    world.close(room).await;
    world.publish(&RoomCommand::RoomEnded { room: room.id }).await;
    // Commands of a room are applied in order: once this one is refused, the room is erased.
    let later = world.request::<Message>(&message(room, room.members[0], "three")).await;

    assert_eq!(later, Reply::Refused(Refusal::NotInRoom));
    assert!(world.stored(room).await.is_empty());
    assert!(world.subjects_in(streams::DEAD).await.is_empty());
    world.eventually("all is acknowledged", async || world.subjects_in(streams::MESSAGES).await.is_empty()).await;
    assert_eq!(world.stored(other).await, [kept]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_ends_where_its_end_stands_in_the_stream() {
    let world = World::new().await;
    let room = world.room().await;
    // The matcher has not closed the room yet, and nobody consumes: all is one batch.
    let before = world.publish_for_reply::<Message>(&message(room, room.members[0], "before")).await;
    world.publish(&RoomCommand::RoomEnded { room: room.id }).await;
    let after = world.publish_for_reply::<Message>(&message(room, room.members[0], "after")).await;
    let _replica = world.start(&[]);

    assert_eq!(ok(before.await).seq, 1);
    assert_eq!(after.await, Reply::Refused(Refusal::NotInRoom));
    assert!(world.stored(room).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_removes_messages_whose_room_is_gone() {
    let world = World::new().await;
    let _replica = world.start(&SWEEPING);
    let room = world.room().await;
    let kept = world.send(room, room.members[0], "kept").await;
    left(&world, RoomId::new()).await;

    world.eventually("only the open room has messages", async || world.all_stored().await == [kept.clone()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_leaves_a_room_whose_end_is_still_in_the_stream() {
    let world = World::new().await;
    let ended = RoomId::new();
    world.publish(&RoomCommand::RoomEnded { room: ended }).await;
    let _in_progress = pull(&world, subjects::partition(ended), 1).await;
    let left_there = left(&world, ended).await;
    left(&world, RoomId::new()).await;
    let _replica = world.start(&SWEEPING);

    world.eventually("one is swept", async || world.all_stored().await == [left_there.clone()]).await;
}

/// A message of a room that is no more.
async fn left(world: &World, room_id: RoomId) -> Message {
    let (id, author, nonce, content) = (MessageId::new(), UserId::new(), "n".to_owned(), "left".to_owned());
    let message = Message { id, room_id, author, timestamp: 0.0, nonce, content, liked: false, seq: 1 };
    world.database.collection::<Message>("messages").insert_one(&message).await.expect("inserted");
    message
}
