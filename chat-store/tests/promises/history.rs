//! Reading what was said.

use crate::world::{World, ok};
use proto::{Refusal, Reply, RoomId, UserId, events::HISTORY_PAGE};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_reads_the_history_in_pages() {
    let world = World::new().await;
    let _replicas = [world.start(&[]), world.start(&[])];
    let room = world.room().await;
    for number in 0..HISTORY_PAGE + 3 {
        world.say(room, room.members[number % 2], &number.to_string()).await;
    }
    let stored = world.stored(room).await;

    let first = ok(world.history(room, room.members[0], 0).await).messages;
    let rest = ok(world.history(room, room.members[1], HISTORY_PAGE as u64).await).messages;
    let nothing = ok(world.history(room, room.members[1], stored.len() as u64).await).messages;

    assert_eq!(first, stored[..HISTORY_PAGE]);
    assert_eq!(rest, stored[HISTORY_PAGE..]);
    assert!(nothing.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_reads_nothing() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let room = world.room().await;
    world.say(room, room.members[0], "one").await;
    let nowhere = crate::world::Room { id: RoomId::new(), members: room.members };

    assert_eq!(world.history(room, UserId::new(), 0).await, Reply::Refused(Refusal::NotInRoom));
    assert_eq!(world.history(nowhere, room.members[0], 0).await, Reply::Refused(Refusal::NotInRoom));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_worst_texts_fits_the_bus() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let room = world.room().await;
    for number in 0..HISTORY_PAGE {
        let (author, nonce) = (room.members[0], number.to_string());
        let content = "\u{1}".repeat(16 * 1024);
        let command = proto::RoomCommand::MessageSent { room: room.id, author, nonce, content };
        ok(world.ask::<proto::Message>(&command).await);
    }
    assert_eq!(ok(world.history(room, room.members[0], 0).await).messages.len(), HISTORY_PAGE);
}
