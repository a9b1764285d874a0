//! How conversations begin, and that nothing is left when they end.

use crate::world::{World, by_id, count, good, subject, waits_since};
use mongodb::bson::doc;
use proto::{Notification, Queue, Refusal, Reply, RoomCommand, UserState, notification::EndReason};
use std::time::{Duration, Instant};

const QUICK: &[&str] = &["--match-interval", "100ms"];

#[tokio::test(flavor = "multi_thread")]
async fn the_conversation_begins_when_both_have_entered() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, room) = world.matched().await;
    let view = good(world.enter(&vent, room).await);
    assert!(view.state.room().is_some_and(|room| room.entered && !room.started));
    good(world.enter(&vent, room).await);
    let view = good(world.enter(&listen, room).await);
    assert!(view.state.room().is_some_and(|room| room.entered && room.started));
    for person in [&mut vent, &mut listen] {
        let started = |one| if let Notification::Entered { user, started: true } = one { Some(user) } else { None };
        assert_eq!(person.wait_for(started).await, view.user);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_in_no_room_cannot_enter_one() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let waiting = world.waiting(Queue::Vent).await;
    assert_eq!(world.enter(&waiting, proto::RoomId::new()).await, Reply::Refused(Refusal::NotInRoom));
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_ends_the_room_for_both_and_within_five_seconds_nothing_is_left() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, room) = world.talking().await;
    let erase = RoomCommand::RoomEnded { room };
    let mut ended = world.bus.client.subscribe(subject(&erase)).await.expect("subscribed");
    let started = Instant::now();
    assert_eq!(good(world.leave(&vent).await).state, UserState::Idle);
    for person in [&mut vent, &mut listen] {
        let reason =
            person.wait_for(|one| if let Notification::Ended { reason } = one { Some(reason) } else { None }).await;
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
async fn a_user_who_leaves_the_queue_is_not_matched_and_is_erased() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let vent = world.waiting(Queue::Vent).await;
    assert_eq!(good(world.leave(&vent).await).state, UserState::Idle);
    let listen = world.waiting(Queue::Listen).await;
    world.becomes("the one who left is gone", async |_| count(&world.users(), by_id(vent.id)).await == 0).await;
    assert!(matches!(world.read(listen.id).await.state, UserState::Waiting { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_who_leaves_before_it_started_puts_the_other_back_in_their_place() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut vent = world.waiting(Queue::Vent).await;
    let since = waits_since(&world.read(vent.id).await);
    let listen = world.waiting(Queue::Listen).await;
    vent.matched().await;
    good(world.leave(&listen).await);
    let unmatched = |one| if let Notification::Requeued { since_ms, .. } = one { Some(since_ms) } else { None };
    assert_eq!(vent.wait_for(unmatched).await, since);
    assert_eq!(world.read(listen.id).await.state, UserState::Idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_does_not_enter_in_time_is_removed_and_the_other_waits_again() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--enter-timeout", "500ms"]).await;
    let (mut vent, mut listen, room) = world.matched().await;
    good(world.enter(&vent, room).await);
    let unmatched = |one| if let Notification::Requeued { queue, .. } = one { Some(queue) } else { None };
    assert_eq!(vent.wait_for(unmatched).await, Queue::Vent);
    let ended = |one| if let Notification::Ended { reason } = one { Some(reason) } else { None };
    assert_eq!(listen.wait_for(ended).await, EndReason::Gone);
    let next = world.waiting(Queue::Listen).await;
    assert_eq!(vent.matched().await.partner, next.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_user_can_queue_and_connect_again_under_the_same_id() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, _) = world.talking().await;
    good(world.leave(&listen).await);
    vent.wait_for(|one| matches!(one, Notification::Ended { .. }).then_some(())).await;
    let view = good(world.queue(vent.id, Queue::Vent).await);
    assert!(matches!(view.state, UserState::Waiting { .. }));
    world.claim(&vent).await;
    good(world.queue(listen.id, Queue::Listen).await);
    world.connect(&mut listen).await;
    assert_eq!(vent.matched().await.partner, listen.id);
}
