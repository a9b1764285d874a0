//! What is left of a room.

use crate::world::{World, message, ok};
use proto::{Message, Refusal, Reply, RoomCommand, UserId, streams, subjects};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_room_that_ended_and_later_messages_are_refused() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let (room, other) = (world.room().await, world.room().await);
    world.say(room, room.members[0], "one").await;
    let kept = world.say(other, other.members[0], "kept").await;
    let subject = subjects::room_command(&message(room, room.members[0], ""));
    world.bus.js.publish(subject.clone(), "no command".into()).await.expect("sent").await.expect("in the stream");
    world.say(room, room.members[1], "two").await;
    assert_eq!(world.held(streams::DEAD).await.len(), 1);

    world.close(room).await;
    world.publish(&RoomCommand::RoomEnded { room: room.id }).await;
    // Commands of a room are applied in order: once this one is refused, the room is erased.
    let later = world.ask::<Message>(&message(room, room.members[0], "three")).await;

    assert_eq!(later, Reply::Refused(Refusal::NotInRoom));
    assert!(world.stored(room).await.is_empty());
    assert!(world.held(streams::DEAD).await.is_empty());
    world.eventually("all is acknowledged", async || world.held(streams::MESSAGES).await.is_empty()).await;
    assert_eq!(world.stored(other).await, [kept]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_ends_where_its_end_stands_in_the_stream() {
    let world = World::new().await;
    let room = world.room().await;
    // The matcher has not closed the room yet, and nobody consumes: all is one batch.
    let before = world.asking::<Message>(&message(room, room.members[0], "before")).await;
    world.publish(&RoomCommand::RoomEnded { room: room.id }).await;
    let after = world.asking::<Message>(&message(room, room.members[0], "after")).await;
    let _replica = world.start(&[]);

    assert_eq!(ok(before.await).seq, 1);
    assert_eq!(after.await, Reply::Refused(Refusal::NotInRoom));
    assert!(world.stored(room).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_removes_what_the_erasure_could_not_see() {
    let world = World::new().await;
    let _replica = world.start(&["--sweep-interval", "50ms", "--sweep-grace", "50ms"]);
    let (room, closed) = (world.room().await, world.room().await);
    let kept = world.say(room, room.members[0], "kept").await;
    let lost = world.say(closed, closed.members[0], "lost").await;
    let nowhere = Message { id: proto::MessageId::new(), room_id: proto::RoomId::new(), author: UserId::new(), ..lost };
    world.database.collection::<Message>("messages").insert_one(&nowhere).await.expect("inserted");
    world.close(closed).await;

    world.eventually("only the open room has messages", async || world.all_stored().await == [kept.clone()]).await;
}
