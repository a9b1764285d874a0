//! Reading the history of a room.

use crate::world::{World, message, ok};
use futures_util::future::join_all;
use proto::{Message, Refusal, Reply, RoomCommand, RoomId, UserId, notification::HISTORY_PAGE_BYTES};

/// The longest text that a gateway accepts, in bytes.
const TEXT: usize = 16 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_member_reads_the_history_in_pages_of_bytes() {
    let world = World::new().await;
    let _replicas = [world.start(&[]), world.start(&[])];
    let room = world.room().await;
    let in_one_page = HISTORY_PAGE_BYTES / TEXT;
    for number in 0..in_one_page + 3 {
        // Control characters: JSON makes six bytes of each, and the page has to fit the bus.
        let (author, nonce, content) = (room.members[number % 2], number.to_string(), "\u{1}".repeat(TEXT));
        ok(world.request::<Message>(&RoomCommand::MessageSent { room: room.id, author, nonce, content }).await);
    }
    let stored = world.stored(room).await;

    let first = ok(world.history(room, room.members[0], 0).await);
    let rest = ok(world.history(room, room.members[1], in_one_page as u64).await);
    let nothing = ok(world.history(room, room.members[1], stored.len() as u64).await);

    assert_eq!((&first.messages[..], first.more), (&stored[..in_one_page], true));
    assert_eq!((&rest.messages[..], rest.more), (&stored[in_one_page..], false));
    assert_eq!((nothing.messages.len(), nothing.more), (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_short_messages_are_one_page() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let room = world.room().await;
    let nonces: Vec<String> = (0..120).map(|number| format!("{number:03}")).collect();
    let mut replies = Vec::new();
    for nonce in &nonces {
        replies.push(world.publish_for_reply::<Message>(&message(room, room.members[0], nonce)).await);
    }
    join_all(replies).await.into_iter().for_each(|reply| drop(ok(reply)));
    let page = ok(world.history(room, room.members[1], 0).await);
    assert_eq!(crate::world::nonces(&page.messages), nonces);
    assert!(!page.more);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_reads_nothing() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let room = world.room().await;
    world.send(room, room.members[0], "one").await;
    let nowhere = crate::world::Room { id: RoomId::new(), members: room.members };

    assert_eq!(world.history(room, UserId::new(), 0).await, Reply::Refused(Refusal::NotInRoom));
    assert_eq!(world.history(nowhere, room.members[0], 0).await, Reply::Refused(Refusal::NotInRoom));
}
