//! Bad commands, and servers that are unavailable.

use crate::{
    replica::Replica,
    world::{World, dense, message, nonces, ok},
};
use async_nats::{HeaderMap, Subject};
use futures_util::future::join_all;
use mongodb::bson::doc;
use proto::{
    Command as _, Message, Refusal, Reply, RoomCommand,
    bus::{REPLY_TO, encode},
    streams, subjects,
};
use servers::{Mongo, MongoOptions};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_be_decoded_goes_to_the_dead_letters_and_the_rest_goes_on() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let room = world.room().await;
    let subject = message(room, room.members[0], "").subject();
    world.bus.js.publish(subject.clone(), "{\"v\":9}".into()).await.expect("sent").await.expect("in the stream");

    world.send(room, room.members[0], "good").await;

    assert_eq!(nonces(&world.stored(room).await), ["good"]);
    let dead = world.subjects_in(streams::DEAD).await;
    assert_eq!(dead.keys().collect::<Vec<_>>(), [subjects::dead_letter(&subject).as_str()]);
    world.eventually("all is acknowledged", async || world.subjects_in(streams::MESSAGES).await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_mongodb_refuses_is_refused_and_the_rest_goes_on_without_a_gap() {
    let world = World::new().await;
    let room = world.room().await;
    let author = room.members[0];
    let replica = world.start(&[]);
    world.send(room, author, "1").await;
    replica.stop().await;
    let picky = doc! {"collMod": "messages", "validator": {"nonce": {"$ne": "poison"}}};
    world.database.run_command(picky).await.expect("a validator");

    let commands = ["2", "poison", "3"].map(|nonce| message(room, author, nonce));
    let replies = join_all(commands.iter().map(|command| world.publish_for_reply::<Message>(command))).await;
    let _replica = world.start(&[]);
    let results = join_all(replies).await;

    let seqs: Vec<Option<u64>> = results
        .iter()
        .map(|reply| match reply {
            Reply::Ok(message) => Some(message.seq),
            Reply::Refused(refusal) => {
                assert_eq!(*refusal, Refusal::Failed);
                None
            }
        })
        .collect();
    assert_eq!(seqs, [Some(2), None, Some(3)]);
    dense(&world.stored(room).await);
    assert_eq!(world.subjects_in(streams::DEAD).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_wait_in_order_while_mongodb_is_unavailable() {
    let mongo = Mongo::start(MongoOptions::default()).await.expect("a mongod");
    let world = World::with(&mongo).await;
    let _replicas = [world.start(&[]), world.start(&[])];
    let (room, ended) = (world.room().await, world.room().await);
    let author = room.members[0];
    world.send(room, author, "0").await;
    world.send(ended, ended.members[0], "0").await;
    world.close(ended).await;

    mongo.kill().await;
    let waiting: Vec<RoomCommand> = (1..8).map(|number| message(room, author, &number.to_string())).collect();
    let mut replies = Vec::new();
    for command in &waiting {
        replies.push(world.publish_for_reply::<Message>(command).await);
    }
    world.publish(&RoomCommand::RoomEnded { room: ended.id }).await;
    mongo.restart().await.expect("it is back");

    let seqs: Vec<u64> = join_all(replies).await.into_iter().map(|reply| ok(reply).seq).collect();
    assert_eq!(seqs, (2..9).collect::<Vec<_>>());
    dense(&world.stored(room).await);
    world.eventually("the other room is erased", async || world.stored(ended).await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_applied_in_order_after_nats_was_killed() {
    let world = World::new().await;
    let _replicas = [world.start(&[]), world.start(&[])];
    let room = world.room().await;
    let author = room.members[0];
    world.send(room, author, "0").await;

    for round in ["1", "2"] {
        world.nats().kill().await;
        world.nats().restart().await.expect("it is back");
        world.send(room, author, round).await;
    }
    assert_eq!(nonces(&world.stored(room).await), ["0", "1", "2"]);
}

/// Publishes what another program could, with headers of its own.
async fn publish(world: &World, subject: Subject, headers: HeaderMap, payload: &[u8]) {
    let sent = world.bus.js.publish_with_headers(subject, headers, payload.to_vec().into()).await.expect("sent");
    sent.await.expect("in the stream");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_with_an_invalid_reply_subject_is_applied_and_the_rest_goes_on() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let room = world.room().await;
    let author = room.members[0];
    for (nonce, to) in [("1", "talk.reply.a b"), ("2", "talk.reply."), ("3", "talk.reply.>"), ("4", "talk.reply.a..b")]
    {
        let command = message(room, author, nonce);
        let mut headers = HeaderMap::new();
        headers.insert(REPLY_TO, to);
        publish(&world, command.subject(), headers, &encode(&command)).await;
    }
    world.send(room, author, "5").await;
    assert_eq!(nonces(&world.stored(room).await), ["1", "2", "3", "4", "5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_as_long_as_nats_takes_do_not_stop_a_partition() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let room = world.room().await;
    let longest = world.bus.client.max_payload();
    // Its notification is longer than it.
    let with = |length| RoomCommand::MessageSent {
        room: room.id,
        author: room.members[0],
        nonce: "long".to_owned(),
        content: "x".repeat(length),
    };
    let command = with(longest - encode(&with(0)).len());
    let subject = command.subject();
    publish(&world, subject.clone(), HeaderMap::new(), &encode(&command)).await;
    publish(&world, subject.clone(), HeaderMap::new(), &vec![b'x'; longest]).await;

    world.send(room, room.members[0], "after").await;

    assert_eq!(nonces(&world.stored(room).await), ["long", "after"]);
    let dead = world.subjects_in(streams::DEAD).await;
    assert_eq!(dead.get(subjects::dead_letter(&subject).as_str()), Some(&1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_store_that_waits_for_its_servers_can_be_stopped() {
    let world = World::new().await;
    let [mut without_nats, mut without_mongodb] = [(); 2].map(|()| world.config(&["--connect-timeout", "1h"]));
    without_nats.common.nats.nats_url = "nats://127.0.0.1:1".to_owned();
    without_mongodb.mongodb.mongodb_uri = "mongodb://127.0.0.1:1".to_owned();
    for config in [without_nats, without_mongodb] {
        Replica::of(config).stop().await;
    }
}
