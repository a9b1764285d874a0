//! One order for everybody, with several chat-stores and while one of them dies.

use crate::world::{Room, World, dense, message, ok};
use futures_util::future::join_all;
use proto::{CommandId, Message, UserId};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::timeout;

const ROOMS: usize = 16;
const MESSAGES: usize = 30;

/// Sends one after the other, each again with the same nonce until it is answered.
async fn talk(world: &World, room: Room, author: UserId) {
    for number in 0..MESSAGES {
        let command = message(room, author, &format!("{number:03}"));
        while timeout(Duration::from_secs(2), world.request::<Message>(&command)).await.map(ok).is_err() {}
    }
}

/// What each author sent is in the order of sending, in one row without gaps.
async fn in_order(world: &World, room: Room) -> Vec<Message> {
    let stored = world.stored(room).await;
    assert_eq!(stored.len(), 2 * MESSAGES);
    dense(&stored);
    for author in room.members {
        let own: Vec<&str> = stored.iter().filter(|m| m.author == author).map(|m| m.nonce.as_str()).collect();
        assert!(own.is_sorted(), "{own:?}");
    }
    stored
}

#[tokio::test(flavor = "multi_thread")]
async fn three_chat_stores_keep_one_order_while_one_of_them_is_killed() {
    let world = World::new().await;
    let first = world.start(&[]);
    let rooms = join_all((0..ROOMS).map(|_| world.room())).await;
    let mut notified = join_all(rooms.iter().map(|room| world.notifications(room.members[0]))).await;
    // The one that replies owns the partition, for as long as it lives.
    join_all(rooms.iter().map(|room| world.send(*room, room.members[0], "000"))).await;
    let _others = [world.start(&[]), world.start(&[])];

    let talks = rooms.iter().flat_map(|room| room.members.map(|author| talk(&world, *room, author)));
    let kill = async {
        // As soon as the traffic runs.
        while notified[0].message().await.seq < 3 {}
        first.running.abort();
    };
    tokio::join!(join_all(talks), kill);

    for (room, notified) in rooms.iter().zip(&mut notified).skip(1) {
        let stored = in_order(&world, *room).await;
        // As a gateway does: what was received already is dropped by its sequence.
        let mut received: Vec<Message> = Vec::new();
        while received.len() < stored.len() {
            let message = notified.message().await;
            let expected = received.len() as u64 + 1;
            assert!(message.seq <= expected, "notified of {} before {expected}", message.seq);
            if message.seq == expected {
                received.push(message);
            }
        }
        assert_eq!(received, stored);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_who_does_not_wait_for_replies_is_stored_in_order() {
    let world = World::new().await;
    let _replicas = [world.start(&["--batch-size", "7"]), world.start(&["--batch-size", "7"])];
    let room = world.room().await;
    let author = room.members[0];
    let mut sent = Vec::new();
    for number in 0..100 {
        let command = message(room, author, &format!("{number:03}"));
        sent.push(world.bus.publish_command(CommandId::new(), &command, None).await.expect("sent"));
    }
    join_all(sent.into_iter().map(IntoFuture::into_future)).await;
    world.send(room, author, "last").await;
    let stored = world.stored(room).await;
    dense(&stored);
    let counts = stored.iter().fold(BTreeMap::new(), |mut counts: BTreeMap<&str, u32>, message| {
        *counts.entry(&message.nonce).or_default() += 1;
        counts
    });
    assert!(counts.len() == 101 && counts.values().all(|count| *count == 1));
    assert!(stored.iter().map(|message| &message.nonce).is_sorted());
}
