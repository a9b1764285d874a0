//! Who is matched with whom, and when.

use crate::world::{World, good, soon};
use proto::{
    Live, Place, Queue, Refusal, Reply, UserCommand,
    events::{MatchMade, QueueStatus},
    subjects,
};
use std::time::{Duration, Instant};

/// Only a wake-up can help in time.
const NO_POLL: &[&str] = &["--match-interval", "1h"];
const QUICK: &[&str] = &["--match-interval", "100ms"];

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_is_met_long_before_the_next_poll() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let mut vent = world.waiting(Queue::Vent).await;
    let started = Instant::now();
    let mut listen = world.waiting(Queue::Listen).await;
    let (one, other) = (vent.matched().await, listen.matched().await);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!((one.room, one.partner, other.partner), (other.room, listen.id, vent.id));
    assert!(!one.joined && !one.begun && one.partner_connected);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_want_to_talk_meet_and_operators_are_told() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let mut made = world.subscribe::<MatchMade>("talk.match.made.*").await;
    let (mut one, other) = (world.waiting(Queue::Talk).await, world.waiting(Queue::Talk).await);
    let room = one.matched().await;
    let made = made().await;
    assert_eq!((made.room, made.members.each_ref().map(|m| m.user)), (room.room, [one.id, other.id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn even_counts_of_vent_and_listen_are_all_matched_longest_wait_first() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let tick = world.hold_the_tick().await;
    let (mut vent_1, mut vent_2) = (world.waiting(Queue::Vent).await, world.waiting(Queue::Vent).await);
    let (listen_1, listen_2) = (world.waiting(Queue::Listen).await, world.waiting(Queue::Listen).await);
    tick.give_back().await.expect("given back");
    assert_eq!(vent_1.matched().await.partner, listen_1.id);
    assert_eq!(vent_2.matched().await.partner, listen_2.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_who_talk_the_two_longest_waits_are_paired() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let tick = world.hold_the_tick().await;
    let (mut first, second) = (world.waiting(Queue::Talk).await, world.waiting(Queue::Talk).await);
    let third = world.waiting(Queue::Talk).await;
    let mut status = world.subscribe::<QueueStatus>(subjects::QUEUE_STATUS).await;
    tick.give_back().await.expect("given back");
    assert_eq!(first.matched().await.partner, second.id);
    assert_eq!(status().await, QueueStatus { talk: 1, ..QueueStatus::default() });
    assert!(matches!(world.read(third.id).await.place, Place::Waiting { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_too_long_in_vent_is_moved_to_talk_and_told_and_met() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--fallback-after", "300ms"]).await;
    let mut vent = world.waiting(Queue::Vent).await;
    let moved = vent.hears_of(|live| if let Live::Moved { from, to } = live { Some((from, to)) } else { None }).await;
    assert_eq!(moved, (Queue::Vent, Queue::Talk));
    assert!(matches!(world.read(vent.id).await.place, Place::Waiting { queue: Queue::Talk, .. }));
    let talk = world.waiting(Queue::Talk).await;
    assert_eq!(vent.matched().await.partner, talk.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_moved_and_met_in_one_tick_hears_of_both_in_order() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--fallback-after", "0s"]).await;
    let tick = world.hold_the_tick().await;
    let (mut listen, talk) = (world.waiting(Queue::Listen).await, world.waiting(Queue::Talk).await);
    tick.give_back().await.expect("given back");
    assert!(matches!(listen.hears().await, Live::Queued { queue: Queue::Listen, .. }));
    assert_eq!(listen.hears().await, Live::Moved { from: Queue::Listen, to: Queue::Talk });
    assert!(matches!(listen.hears().await, Live::Matched(room) if room.partner == talk.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_are_matched_in_one_tick() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let tick = world.hold_the_tick().await;
    let mut people = Vec::new();
    for n in 0..200 {
        people.push(world.waiting(Queue::ALL[n % 2]).await);
    }
    let mut status = world.subscribe::<QueueStatus>(subjects::QUEUE_STATUS).await;
    tick.give_back().await.expect("given back");
    assert_eq!(status().await, QueueStatus::default(), "nobody is left after the first tick");
    for person in &mut people {
        person.matched().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_connection_yet_keeps_the_place_and_is_matched_on_connecting() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let mut first = world.somebody().await;
    assert_eq!(good(world.queue(first.id, Queue::Talk).await).epoch, 0, "no connection speaks for them");
    let (mut second, third) = (world.waiting(Queue::Talk).await, world.waiting(Queue::Talk).await);
    assert_eq!(second.matched().await.partner, third.id, "the first is not offered");
    let fourth = world.waiting(Queue::Talk).await;
    world.connect(&mut first).await;
    assert_eq!(first.matched().await.partner, fourth.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_matched_before_the_answer_to_the_queue_request_has_settled() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut first = world.waiting(Queue::Talk).await;
    let mut second = world.somebody().await;
    world.connect(&mut second).await;
    let settle = UserCommand::QueueRequested { user: second.id, queue: Queue::Talk, settle_ms: 400 };
    let asked = Instant::now();
    good(world.ask(&settle).await);
    first.matched().await;
    assert!(asked.elapsed() > Duration::from_millis(350), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_or_talks_already_is_refused_another_queue() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let mut vent = world.waiting(Queue::Vent).await;
    assert_eq!(world.queue(vent.id, Queue::Talk).await, Reply::Refused(Refusal::AlreadyWaiting));
    let _listen = world.waiting(Queue::Listen).await;
    vent.matched().await;
    assert_eq!(world.queue(vent.id, Queue::Talk).await, Reply::Refused(Refusal::InRoom));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_somebody_stands_can_be_read() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let nobody = world.somebody().await;
    // The service may still be starting; commands wait for it, questions do not.
    let vent = world.waiting(Queue::Vent).await;
    assert_eq!(soon(world.read(nobody.id)).await.place, Place::Idle);
    let view = world.read(vent.id).await;
    assert_eq!(view.epoch, vent.epoch);
    assert!(matches!(view.place, Place::Waiting { queue: Queue::Vent, .. }));
    let mut listen = world.waiting(Queue::Listen).await;
    let room = listen.matched().await;
    assert_eq!(world.read(listen.id).await.place, Place::Room(room));
}
