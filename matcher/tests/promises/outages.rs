//! Servers that are away for a while.

use crate::world::{World, count};
use mongodb::bson::doc;
use proto::{Notification, Queue, UserCommand, commands::DisconnectCause, notification::EndReason};
use servers::{Mongo, MongoOptions};

const QUICK: &[&str] = &["--match-interval", "100ms"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_while_mongodb_is_unavailable_is_applied_when_it_is_back() {
    let mongo = Mongo::start(MongoOptions::default()).await.expect("a mongod");
    let world = World::on(&mongo, "talk").await;
    let _matcher = world.start(QUICK);
    let (vent, mut listen, _) = world.talking().await;
    let waiting = world.waiting(Queue::Listen).await;
    mongo.kill().await;
    world.publish(&UserCommand::Left { user: vent.id }).await;
    let lost = world.disconnected(&waiting, DisconnectCause::Lost);
    world.publish(&lost).await;
    mongo.restart().await.expect("a mongod");
    let ended = |one| if let Notification::Ended { reason } = one { Some(reason) } else { None };
    assert_eq!(listen.wait_for(ended).await, EndReason::Left);
    let connected = doc! { "_id": waiting.id.to_string(), "connection.state": "open" };
    world.becomes("the lost one is not offered", async |_| count(&world.users(), connected.clone()).await == 0).await;
    world.matched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_matched_again_after_nats_was_killed_and_came_back() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut vent = world.waiting(Queue::Vent).await;
    world.nats.kill().await;
    world.nats.restart().await.expect("a nats-server");
    let listen = world.waiting(Queue::Listen).await;
    assert_eq!(vent.matched().await.partner, listen.id);
}
