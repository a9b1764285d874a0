//! Who is removed, and who is not: nobody who is on the way back, however late that is noted.

use crate::world::{World, by_id, count, waits_since};
use async_nats::jetstream::stream::Stream;
use mongodb::bson::doc;
use proto::{Place, Queue, UserCommand, commands::Loss, streams};
use std::time::{Duration, SystemTime};

const SHORT: &[&str] = &["--match-interval", "100ms", "--resume-window", "500ms"];

/// Matchers get no commands until the consumer is resumed.
async fn pause(world: &World) -> Stream {
    let stream = world.bus.js.get_stream(streams::USERS).await.expect("the stream");
    let later = SystemTime::now() + Duration::from_secs(600);
    stream.pause_consumer(streams::MATCHER, later.into()).await.expect("paused");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_return_was_not_noted_in_time_keeps_the_place_that_they_had() {
    let (world, _matcher) = World::with_matcher(SHORT).await;
    let (back, away) = (world.waiting(Queue::Vent).await, world.waiting(Queue::Vent).await);
    let since = waits_since(&world.read(back.id).await);
    world.lose(&back, Loss::Lost).await;
    world.lose(&away, Loss::Lost).await;
    let stream = pause(&world).await;
    world.publish(&world.connected(back.id, None)).await;
    let there = doc! { "_id": away.id.to_string(), "state": { "$ne": "gone" } };
    world.becomes("who stayed away is removed", async |_| count(&world.users(), there.clone()).await == 0).await;
    stream.resume_consumer(streams::MATCHER).await.expect("resumed");
    let connected = doc! { "_id": back.id.to_string(), "connected": true };
    world.becomes("the return is noted", async |_| count(&world.users(), connected.clone()).await == 1).await;
    assert_eq!(world.read(back.id).await.place, Place::Waiting { queue: Queue::Vent, since_ms: since });
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stays_away_is_removed_also_while_the_ends_of_rooms_cannot_be_told() {
    let (world, _matcher) = World::with_matcher(SHORT).await;
    let (vent, _listen, room) = world.talking().await;
    let away = world.waiting(Queue::Vent).await;
    world.bus.js.delete_stream(streams::MESSAGES).await.expect("deleted");
    world.publish(&UserCommand::Left { user: vent.id }).await;
    let closed = doc! { "_id": room.to_string(), "open": false };
    world.becomes("the room is closed", async |_| count(&world.rooms(), closed.clone()).await == 1).await;
    world.lose(&away, Loss::Lost).await;
    let there = doc! { "_id": away.id.to_string(), "state": { "$ne": "gone" } };
    world.becomes("who stayed away is removed", async |_| count(&world.users(), there.clone()).await == 0).await;
    assert_eq!(count(&world.rooms(), closed).await, 1, "which is not finished yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_kept_while_somebody_in_it_comes_and_goes() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--room-ttl", "3s"]).await;
    let (mut vent, mut listen, room) = world.talking().await;
    let made = expiry(&world, room).await;
    // Their own documents are written anew each time, and are never near their end.
    while expiry(&world, room).await == made {
        world.connect(&mut vent).await;
        world.connect(&mut listen).await;
    }
}

async fn expiry(world: &World, room: proto::RoomId) -> mongodb::bson::DateTime {
    let room = world.rooms().find_one(by_id(room)).await.expect("found").expect("the room is still there");
    *room.get_datetime("expires_at").expect("a time")
}
