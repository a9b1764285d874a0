//! Who is matched with whom, and when.

use crate::world::{World, good, soon};
use proto::{
    Notification, Queue, Refusal, Register, Reply, UserCommand, UserState,
    notification::{MatchMade, QueueStatus},
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
    assert!(!one.entered && !one.started && one.partner_connected);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_in_talk_are_matched_and_operators_can_watch() {
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
    let tick = world.hold_leadership().await;
    let (mut vent_1, mut vent_2) = (world.waiting(Queue::Vent).await, world.waiting(Queue::Vent).await);
    let (listen_1, listen_2) = (world.waiting(Queue::Listen).await, world.waiting(Queue::Listen).await);
    tick.release().await.expect("released");
    assert_eq!(vent_1.matched().await.partner, listen_1.id);
    assert_eq!(vent_2.matched().await.partner, listen_2.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_in_talk_the_two_longest_waits_are_paired() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let tick = world.hold_leadership().await;
    let (mut first, second) = (world.waiting(Queue::Talk).await, world.waiting(Queue::Talk).await);
    let third = world.waiting(Queue::Talk).await;
    let mut status = world.subscribe::<QueueStatus>(subjects::QUEUE_STATUS).await;
    tick.release().await.expect("released");
    assert_eq!(first.matched().await.partner, second.id);
    assert_eq!(status().await, QueueStatus { talk: 1, ..QueueStatus::default() });
    assert!(matches!(world.read(third.id).await.state, UserState::Waiting { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_waits_too_long_in_vent_is_moved_to_talk_and_matched() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--fallback-after", "300ms"]).await;
    let mut vent = world.waiting(Queue::Vent).await;
    let moved =
        vent.wait_for(|one| if let Notification::Moved { from, to } = one { Some((from, to)) } else { None }).await;
    assert_eq!(moved, (Queue::Vent, Queue::Talk));
    assert!(matches!(world.read(vent.id).await.state, UserState::Waiting { queue: Queue::Talk, .. }));
    let talk = world.waiting(Queue::Talk).await;
    assert_eq!(vent.matched().await.partner, talk.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_and_a_match_in_one_round_are_published_in_order() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--fallback-after", "0s"]).await;
    let tick = world.hold_leadership().await;
    let (mut listen, talk) = (world.waiting(Queue::Listen).await, world.waiting(Queue::Talk).await);
    tick.release().await.expect("released");
    assert!(matches!(listen.next().await, Notification::Queued { queue: Queue::Listen, .. }));
    assert_eq!(listen.next().await, Notification::Moved { from: Queue::Listen, to: Queue::Talk });
    assert!(matches!(listen.next().await, Notification::Matched(room) if room.partner == talk.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_are_matched_in_one_round() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let tick = world.hold_leadership().await;
    let mut people = Vec::new();
    for n in 0..200 {
        people.push(world.waiting(Queue::ALL[n % 2]).await);
    }
    let mut status = world.subscribe::<QueueStatus>(subjects::QUEUE_STATUS).await;
    tick.release().await.expect("released");
    assert_eq!(status().await, QueueStatus::default(), "nobody is left after the first tick");
    for person in &mut people {
        person.matched().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_a_connection_keeps_the_place_and_is_matched_on_connecting() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let mut first = world.new_person().await;
    assert_eq!(good(world.queue(first.id, Queue::Talk).await).connection, None);
    let (mut second, third) = (world.waiting(Queue::Talk).await, world.waiting(Queue::Talk).await);
    assert_eq!(second.matched().await.partner, third.id, "the first is not offered");
    let fourth = world.waiting(Queue::Talk).await;
    world.connect(&mut first).await;
    assert_eq!(first.matched().await.partner, fourth.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_matched_before_the_reply_to_the_queue_request_has_settled() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut first = world.waiting(Queue::Talk).await;
    let mut second = world.new_person().await;
    world.connect(&mut second).await;
    let settle = UserCommand::QueueRequested { user: second.id, queue: Queue::Talk, settle_ms: 400 };
    let asked = Instant::now();
    good(world.request(&settle).await);
    first.matched().await;
    assert!(asked.elapsed() > Duration::from_millis(350), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_waits_or_is_in_a_room_is_refused_another_queue() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let mut vent = world.waiting(Queue::Vent).await;
    assert_eq!(world.queue(vent.id, Queue::Talk).await, Reply::Refused(Refusal::AlreadyWaiting));
    let _listen = world.waiting(Queue::Listen).await;
    vent.matched().await;
    assert_eq!(world.queue(vent.id, Queue::Talk).await, Reply::Refused(Refusal::InRoom));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_a_user_can_be_read() {
    let (world, _matcher) = World::with_matcher(NO_POLL).await;
    let nobody = world.new_person().await;
    // The service may still be starting; commands wait for it, questions do not.
    let vent = world.waiting(Queue::Vent).await;
    assert_eq!(soon(world.read(nobody.id)).await.state, UserState::Idle);
    let view = world.read(vent.id).await;
    assert_eq!(view.connection, Some(Register::open(vent.stamp.clone())));
    assert!(matches!(view.state, UserState::Waiting { queue: Queue::Vent, .. }));
    let mut listen = world.waiting(Queue::Listen).await;
    let room = listen.matched().await;
    assert_eq!(world.read(listen.id).await.state, UserState::Room(room));
}
