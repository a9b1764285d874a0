//! A partition changes hands, with commands that its last consumer did not acknowledge.

use crate::{
    replica::signal,
    world::{World, dense, message, nonces, ok},
};
use async_nats::{
    datetime,
    jetstream::{self, AckKind},
};
use futures_util::StreamExt as _;
use proto::{Message, Refusal, Reply, RoomCommand, streams, subjects, timing};
use std::time::Duration;

/// Pulls commands of a partition as a chat-store does that hangs then.
pub(crate) async fn pull(world: &World, partition: u32, count: usize) -> Vec<jetstream::Message> {
    let consumer = streams::partition_consumer(&world.bus.js, partition).await.expect("a consumer");
    let stream = consumer.stream().group(streams::PINNED_GROUP).expires(timing::PULL_EXPIRES);
    let messages = stream.max_messages_per_batch(count).messages().await.expect("pulling");
    messages.take(count).map(|message| message.expect("a command")).collect().await
}

/// Keeps the server from delivering them again.
async fn signal_progress(messages: &[jetstream::Message]) -> std::convert::Infallible {
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    loop {
        ticks.tick().await;
        for message in messages {
            message.ack_with(AckKind::Progress).await.expect("sent");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hanging_chat_store_holds_goes_before_what_is_younger() {
    taken_over_in_order(World::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_cluster_what_a_hanging_chat_store_holds_goes_before_what_is_younger() {
    taken_over_in_order(World::in_a_cluster().await).await;
}

async fn taken_over_in_order(world: World) {
    let room = world.room().await;
    let [author, partner] = room.members;
    let old = world.publish_for_reply::<Message>(&message(room, author, "1")).await;
    for nonce in ["2", "3"] {
        world.publish(&message(room, author, nonce)).await;
    }
    let in_progress = pull(&world, subjects::partition(room.id), 3).await;
    let mut notified = world.notifications(partner).await;
    world.publish(&message(room, author, "4")).await;

    let work = async {
        let _replica = world.start(&[]);
        let young = world.send(room, author, "5").await;
        assert_eq!(young.seq, 5);
        assert_eq!(ok(old.await).seq, 1, "its author has a reply too");
    };
    tokio::select! {
        () = work => {}
        never = signal_progress(&in_progress) => match never {},
    }

    let stored = world.stored(room).await;
    dense(&stored);
    assert_eq!(nonces(&stored), ["1", "2", "3", "4", "5"]);
    for expected in stored {
        assert_eq!(notified.message().await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_chat_store_held_is_delivered_again_and_stays_one_message() {
    let world = World::new().await;
    let room = world.room().await;
    let author = room.members[0];
    let replies = world.publish_for_reply::<Message>(&message(room, author, "1")).await;
    drop(pull(&world, subjects::partition(room.id), 1).await);

    let _replica = world.start(&[]);
    let stored = ok(replies.await);
    assert_eq!(world.stored(room).await, [stored]);
    world.eventually("all is acknowledged", async || world.subjects_in(streams::MESSAGES).await.is_empty()).await;
}

/// To whom the server delivers the commands of a partition.
async fn pinned(world: &World, partition: u32) -> Option<String> {
    let consumer = streams::partition_consumer(&world.bus.js, partition).await.expect("a consumer");
    consumer.cached_info().priority_groups.first().and_then(|group| group.pinned_client_id.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_store_that_stops_hands_its_partitions_over_at_once() {
    let world = World::new().await;
    let first = world.start(&[]);
    let room = world.room().await;
    let partition = subjects::partition(room.id);
    world.send(room, room.members[0], "1").await;
    let _second = world.start(&[]);
    let before = pinned(&world, partition).await;
    assert!(before.as_ref().is_some_and(|pin| !pin.is_empty()));

    first.stop().await;

    assert_ne!(pinned(&world, partition).await, before);
    world.send(room, room.members[0], "2").await;
    assert_eq!(nonces(&world.stored(room).await), ["1", "2"]);
}

/// As a NATS node delivers that led, was suspended and resumes: nothing is missing in the numbers of the deliveries.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_command_is_not_applied_by_what_is_remembered_of_its_room() {
    let world = World::new().await;
    let room = world.room().await;
    let _replica = world.start(&[]);
    world.send(room, room.members[0], "1").await;
    let stream = world.bus.js.get_stream(streams::MESSAGES).await.expect("the stream");
    let until = datetime::add_std_duration(datetime::now(), Duration::from_secs(2)).expect("a time");
    let consumer = streams::partition_consumer_name(subjects::partition(room.id));
    stream.pause_consumer(&consumer, until).await.expect("paused");
    let old = world.publish_for_reply::<Message>(&message(room, room.members[0], "2")).await;

    // The room is over, and another chat-store has erased it.
    world.close(room).await;
    world.erased_by_another(room).await;

    assert_eq!(old.await, Reply::Refused(Refusal::NotInRoom));
    assert!(world.stored(room).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_chat_store_is_replaced_and_changes_nothing_when_it_resumes() {
    let world = World::new().await;
    let (room, ended) = (world.room().await, world.room().await);
    let mut suspended = world.spawn();
    for room in [room, ended] {
        world.send(room, room.members[0], "1").await;
    }
    signal(&suspended, "STOP").await;
    // These are delivered to it, or to nobody yet.
    let second = world.publish_for_reply::<Message>(&message(room, room.members[0], "2")).await;
    let lost = world.publish_for_reply::<Message>(&message(ended, ended.members[0], "2")).await;
    let replica = world.start(&[]);
    assert_eq!((ok(second.await).seq, ok(lost.await).seq), (2, 2), "another has taken over");
    world.close(ended).await;
    world.publish(&RoomCommand::RoomEnded { room: ended.id }).await;
    let later = world.request::<Message>(&message(ended, ended.members[0], "3")).await;
    assert_eq!(later, Reply::Refused(Refusal::NotInRoom));

    signal(&suspended, "CONT").await;
    for nonce in ["3", "4", "5"] {
        world.send(room, room.members[0], nonce).await;
    }
    // From now on the one that was suspended has it all again.
    replica.stop().await;
    for nonce in ["6", "7"] {
        world.send(room, room.members[0], nonce).await;
    }
    signal(&suspended, "TERM").await;
    assert!(suspended.wait().await.expect("ended").success());

    let stored = world.stored(room).await;
    dense(&stored);
    assert_eq!(nonces(&stored), ["1", "2", "3", "4", "5", "6", "7"]);
    assert!(world.stored(ended).await.is_empty(), "nothing is left of the other room");
}
