//! Two processes that both take a partition for their own: one was suspended and resumed.

use crate::world::{Room, World, dense, message, nonces};
use chat_store::{
    domain::{Outcome, Sequenced},
    partition::{Partition, StreamPurge},
    store::Store,
};
use proto::RoomCommand;
use std::collections::BTreeMap;

async fn partition(world: &World) -> Partition {
    let store = Store::new(&world.config(&[])).await.expect("a client");
    store.prepare().await.expect("indexes");
    Partition::new(store, StreamPurge::new(&world.bus).await.expect("streams"))
}

fn commands(room: Room, nonces: &[&str]) -> Vec<RoomCommand> {
    nonces.iter().map(|nonce| message(room, room.members[0], nonce)).collect()
}

async fn apply(partition: &mut Partition, commands: &[RoomCommand], maybe_applied: bool) -> BTreeMap<String, u64> {
    let commands: Vec<Sequenced<'_>> =
        commands.iter().enumerate().map(|(at, command)| Sequenced { sequence: at as u64 + 1, command }).collect();
    let outcomes = partition.apply(&commands, maybe_applied).await.expect("applied");
    let stored = outcomes.into_iter().map(|outcome| match outcome {
        Outcome::Stored { message, .. } => (message.nonce, message.seq),
        other => panic!("{other:?}"),
    });
    stored.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_resumes_with_old_knowledge_leaves_no_gap() {
    let world = World::new().await;
    let room = world.room().await;
    let (mut suspended, mut successor) = (partition(&world).await, partition(&world).await);
    apply(&mut suspended, &commands(room, &["1"]), false).await;
    apply(&mut successor, &commands(room, &["2", "3"]), false).await;

    // Its next sequence would be 2, which is taken; "3" is stored; "4" and "5" are new.
    let seqs = apply(&mut suspended, &commands(room, &["4", "3", "5"]), false).await;

    assert_eq!(seqs, BTreeMap::from([("3".to_owned(), 3), ("4".to_owned(), 4), ("5".to_owned(), 5)]));
    let stored = world.stored(room).await;
    dense(&stored);
    assert_eq!(nonces(&stored), ["1", "2", "3", "4", "5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_is_stored_already_leaves_no_gap_in_the_middle() {
    let world = World::new().await;
    let (room, other) = (world.room().await, world.room().await);
    let mut partition = partition(&world).await;
    apply(&mut partition, &commands(room, &["1", "2"]), false).await;

    let mut batch = commands(room, &["3", "1", "4"]);
    batch.extend(commands(other, &["o1", "o2"]));
    apply(&mut partition, &batch, false).await;

    for (room, expected) in [(room, &["1", "2", "3", "4"][..]), (other, &["o1", "o2"])] {
        let stored = world.stored(room).await;
        dense(&stored);
        assert_eq!(nonces(&stored), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_store_every_message_once_in_one_order_without_gaps() {
    let world = World::new().await;
    let rooms = [world.room().await, world.room().await, world.room().await];
    let (mut one, mut two) = (partition(&world).await, partition(&world).await);
    for round in 0..30 {
        let batch: Vec<RoomCommand> = (0..20)
            .map(|at| message(rooms[at % 3], rooms[at % 3].members[at % 2], &format!("{round:02}-{at:02}")))
            .collect();
        // Both have all of it in progress, and begin at different commands.
        let (late, both) =
            (round % 7, tokio::join!(apply(&mut one, &batch, false), apply(&mut two, &batch, round % 2 == 0),));
        assert_eq!(both.0, both.1, "both have the same results, round {round}");
        apply(&mut two, &batch[late..], false).await;
    }
    for room in rooms {
        let stored = world.stored(room).await;
        dense(&stored);
        assert!(nonces(&stored).is_sorted());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_after_the_end_of_a_room_is_erased_on_resuming() {
    let world = World::new().await;
    let (ended, open) = (world.room().await, world.room().await);
    let mut suspended = partition(&world).await;
    apply(&mut suspended, &commands(ended, &["1"]), false).await;
    apply(&mut suspended, &commands(open, &["1"]), false).await;
    world.close(ended).await;

    // It still takes the room for open.
    apply(&mut suspended, &commands(ended, &["2"]), false).await;
    suspended.erase_closed([ended.id, open.id].into_iter()).await.expect("looked");

    assert!(world.stored(ended).await.is_empty());
    assert_eq!(nonces(&world.stored(open).await), ["1"]);
}
