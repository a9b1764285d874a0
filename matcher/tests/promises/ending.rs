//! How conversations begin, and that nothing is left when they end.

use crate::world::{World, by_id, count, good, subject, waits_since};
use mongodb::bson::doc;
use proto::{Live, Place, Queue, Refusal, Reply, RoomCommand, events::EndReason};
use std::time::{Duration, Instant};

const QUICK: &[&str] = &["--match-interval", "100ms"];

#[tokio::test(flavor = "multi_thread")]
async fn the_conversation_begins_when_both_have_entered() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, _) = world.matched().await;
    let view = good(world.join(&vent).await);
    assert!(view.place.room().is_some_and(|room| room.joined && !room.begun));
    good(world.join(&vent).await);
    let view = good(world.join(&listen).await);
    assert!(view.place.room().is_some_and(|room| room.joined && room.begun));
    for person in [&mut vent, &mut listen] {
        let begun = |live| if let Live::Joined { user, begun: true } = live { Some(user) } else { None };
        assert_eq!(person.hears_of(begun).await, view.user);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_no_room_cannot_enter_one() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let waiting = world.waiting(Queue::Vent).await;
    assert_eq!(world.join(&waiting).await, Reply::Refused(Refusal::NotInRoom));
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_ends_the_room_for_both_and_within_five_seconds_nothing_is_left() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, room) = world.talking().await;
    let erase = RoomCommand::RoomEnded { room };
    let mut ended = world.bus.client.subscribe(subject(&erase)).await.expect("subscribed");
    let started = Instant::now();
    assert_eq!(good(world.leave(&vent).await).place, Place::Idle);
    for person in [&mut vent, &mut listen] {
        let reason = person.hears_of(|live| if let Live::Ended { reason } = live { Some(reason) } else { None }).await;
        assert_eq!(reason, EndReason::Left);
    }
    crate::world::soon(futures_util::StreamExt::next(&mut ended)).await.expect("the chat-store is told");
    world
        .becomes("nothing is left", async |_| {
            count(&world.users(), doc! {}).await == 0 && count(&world.rooms(), by_id(room)).await == 0
        })
        .await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_queue_is_not_matched_and_is_erased() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let vent = world.waiting(Queue::Vent).await;
    assert_eq!(good(world.leave(&vent).await).place, Place::Idle);
    let listen = world.waiting(Queue::Listen).await;
    world.becomes("the one who left is gone", async |_| count(&world.users(), by_id(vent.id)).await == 0).await;
    assert!(matches!(world.read(listen.id).await.place, Place::Waiting { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_left_before_it_began_goes_back_to_the_place_they_had() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut vent = world.waiting(Queue::Vent).await;
    let since = waits_since(&world.read(vent.id).await);
    let listen = world.waiting(Queue::Listen).await;
    vent.matched().await;
    good(world.leave(&listen).await);
    let unmatched = |live| if let Live::Unmatched { since_ms, .. } = live { Some(since_ms) } else { None };
    assert_eq!(vent.hears_of(unmatched).await, since);
    assert_eq!(world.read(listen.id).await.place, Place::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_enter_in_time_is_removed_and_the_other_waits_again() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--join-timeout", "500ms"]).await;
    let (mut vent, mut listen, _) = world.matched().await;
    good(world.join(&vent).await);
    let unmatched = |live| if let Live::Unmatched { queue, .. } = live { Some(queue) } else { None };
    assert_eq!(vent.hears_of(unmatched).await, Queue::Vent);
    let ended = |live| if let Live::Ended { reason } = live { Some(reason) } else { None };
    assert_eq!(listen.hears_of(ended).await, EndReason::Gone);
    let next = world.waiting(Queue::Listen).await;
    assert_eq!(vent.matched().await.partner, next.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_can_queue_and_connect_again_under_the_same_id() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, _) = world.talking().await;
    good(world.leave(&listen).await);
    vent.hears_of(|live| matches!(live, Live::Ended { .. }).then_some(())).await;
    let view = good(world.queue(vent.id, Queue::Vent).await);
    assert_eq!(view.epoch, 0, "the earlier connection was let go");
    vent.hears_of(|live| matches!(live, Live::Queued { .. }).then_some(())).await;
    world.connect(&mut vent).await;
    good(world.queue(listen.id, Queue::Listen).await);
    world.connect(&mut listen).await;
    assert_eq!(vent.matched().await.partner, listen.id);
}
