//! Who is removed, and who is not: nobody who is on the way back, however late that is noted.

use crate::world::{World, count, waits_since};
use async_nats::jetstream::stream::Stream;
use mongodb::bson::doc;
use proto::{Queue, UserCommand, UserState, commands::DisconnectCause, streams};
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
async fn a_user_whose_return_was_not_applied_in_time_keeps_the_place_that_they_had() {
    let (world, _matcher) = World::with_matcher(SHORT).await;
    let (mut back, away) = (world.waiting(Queue::Vent).await, world.waiting(Queue::Vent).await);
    let since = waits_since(&world.read(back.id).await);
    world.disconnect(&back, DisconnectCause::Lost).await;
    world.disconnect(&away, DisconnectCause::Lost).await;
    let stream = pause(&world).await;
    back.stamp = world.gateway.open(back.id);
    world.publish(&UserCommand::Connected { user: back.id, stamp: back.stamp.clone() }).await;
    let there = doc! { "_id": away.id.to_string(), "state": { "$ne": "gone" } };
    world.becomes("who stayed away is removed", async |_| count(&world.users(), there.clone()).await == 0).await;
    stream.resume_consumer(streams::MATCHER).await.expect("resumed");
    let connected = doc! { "_id": back.id.to_string(), "connection.state": "open" };
    world.becomes("the return is noted", async |_| count(&world.users(), connected.clone()).await == 1).await;
    assert_eq!(world.read(back.id).await.state, UserState::Waiting { queue: Queue::Vent, since_ms: since });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_stays_away_is_removed_even_if_the_ends_of_rooms_cannot_be_published() {
    let (world, _matcher) = World::with_matcher(SHORT).await;
    let (vent, _listen, room) = world.talking().await;
    let away = world.waiting(Queue::Vent).await;
    world.bus.js.delete_stream(streams::MESSAGES).await.expect("deleted");
    world.publish(&UserCommand::Left { user: vent.id }).await;
    let closed = doc! { "_id": room.to_string(), "open": false };
    world.becomes("the room is closed", async |_| count(&world.rooms(), closed.clone()).await == 1).await;
    world.disconnect(&away, DisconnectCause::Lost).await;
    let there = doc! { "_id": away.id.to_string(), "state": { "$ne": "gone" } };
    world.becomes("who stayed away is removed", async |_| count(&world.users(), there.clone()).await == 0).await;
    assert_eq!(count(&world.rooms(), closed).await, 1, "which is not finished yet");
}
