//! How much a room may hold.

use crate::world::{Room, World, dense, message, nonces, ok};
use mongodb::bson::{Document, serialize_to_document};
use proto::{
    Message, MessageId, Refusal, Reply,
    notification::{ROOM_BYTES, ROOM_MESSAGES},
};

/// Stores the last message of a room that already holds as much.
async fn holding(world: &World, room: Room, seq: u64, room_bytes: u64) -> Message {
    let (id, room_id, author) = (MessageId::new(), room.id, room.members[0]);
    let (nonce, content) = ("last".to_owned(), "text last".to_owned());
    let message = Message { id, room_id, author, timestamp: 0.5, nonce, content, liked: false, seq };
    let mut document = serialize_to_document(&message).expect("a document");
    document.insert("room_bytes", i64::try_from(room_bytes).expect("small"));
    world.database.collection::<Document>("messages").insert_one(document).await.expect("inserted");
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_takes_its_last_message_by_number_and_refuses_the_next_of_both_members() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let room = world.room().await;
    holding(&world, room, ROOM_MESSAGES - 1, 10).await;
    let [author, partner] = room.members;

    let fits = world.send(room, partner, "fits").await;
    for (author, nonce) in [(author, "one"), (partner, "another")] {
        let refused = world.request::<Message>(&message(room, author, nonce)).await;
        assert_eq!(refused, Reply::Refused(Refusal::RoomFull));
    }
    assert_eq!(fits.seq, ROOM_MESSAGES);
    assert_eq!(nonces(&world.stored(room).await), ["last", "fits"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_full_by_bytes_refuses_what_does_not_fit_and_takes_what_does() {
    let world = World::new().await;
    let room = world.room().await;
    let author = room.members[0];
    let fits = message(room, author, "fits");
    let proto::RoomCommand::MessageSent { content, .. } = &fits else { panic!("a message") };
    holding(&world, room, 1, ROOM_BYTES - content.len() as u64).await;
    // One batch.
    let mut replies = Vec::new();
    for command in [message(room, author, "does not"), fits, message(room, author, "")] {
        replies.push(world.publish_for_reply::<Message>(&command).await);
    }
    let _replica = world.start(&[]);

    let results = futures_util::future::join_all(replies).await;
    assert_eq!(results[0], Reply::Refused(Refusal::RoomFull));
    assert_eq!(results[2], Reply::Refused(Refusal::RoomFull));
    let stored = world.stored(room).await;
    dense(&stored);
    assert_eq!(nonces(&stored), ["last", "fits"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_stored_keeps_its_reply_when_its_room_is_full() {
    let world = World::new().await;
    let room = world.room().await;
    let stored = holding(&world, room, ROOM_MESSAGES, ROOM_BYTES).await;
    let _replica = world.start(&[]);
    let author = room.members[0];
    let refused = world.request::<Message>(&message(room, author, "new")).await;
    assert_eq!(refused, Reply::Refused(Refusal::RoomFull));
    assert_eq!(ok(world.request::<Message>(&message(room, author, "last")).await), stored);
    assert_eq!(world.stored(room).await, [stored]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_learns_how_much_a_room_holds() {
    let world = World::new().await;
    let (room, author, author_text) = {
        let room = world.room().await;
        (room, room.members[0], "text 1".len() as u64)
    };
    let first = world.start(&[]);
    holding(&world, room, 1, ROOM_BYTES - author_text).await;
    let second = world.send(room, author, "1").await;
    first.stop().await;
    let _second = world.start(&[]);
    let refused = world.request::<Message>(&message(room, author, "2")).await;
    assert_eq!((second.seq, refused), (2, Reply::Refused(Refusal::RoomFull)));
}
