//! Connections: lost, back, superseded, and gateways whose leases lapse.

use crate::world::{World, by_id, count, good};
use mongodb::bson::doc;
use proto::{
    CommandId, Notification, Queue, Refusal, Register, Reply, UserCommand, UserState, commands::DisconnectCause,
    notification::EndReason,
};
use std::time::{Duration, Instant};

const QUICK: &[&str] = &["--match-interval", "100ms"];

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whose_partner_is_lost_before_it_started_is_back_in_the_place_they_had() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let first = world.waiting(Queue::Vent).await;
    let mut vent = world.waiting(Queue::Vent).await;
    let mut listen = world.waiting(Queue::Listen).await;
    listen.matched().await;
    let partner = world.waiting(Queue::Listen).await;
    let room = vent.matched().await.room;
    let since = waits_since_before(&world, room, vent.id).await;
    let behind = world.waiting(Queue::Vent).await;
    world.disconnect(&partner, DisconnectCause::Lost).await;
    let requeued =
        vent.wait_for(|one| if let Notification::Requeued { since_ms, .. } = one { Some(since_ms) } else { None });
    assert_eq!(requeued.await, since);
    world.becomes("the room is gone", async |_| count(&world.rooms(), by_id(room)).await == 0).await;
    let next = world.waiting(Queue::Listen).await;
    assert_eq!(vent.matched().await.partner, next.id, "before {} who came later, and not with the lost one", behind.id);
    drop(first);
}

/// Since when a member of a room had waited.
async fn waits_since_before(world: &World, room: proto::RoomId, user: proto::UserId) -> i64 {
    let room = world.rooms().find_one(by_id(room)).await.expect("found").expect("the room");
    let members = room.get_array("members").expect("members").iter().filter_map(|member| member.as_document());
    let mut of_user = members.filter(|member| member.get_str("user").is_ok_and(|id| id == user.to_string()));
    of_user.next().expect("a member").get_i64("queued_at").expect("a time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_was_lost_before_it_started_is_matched_again_on_coming_back() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, room) = world.matched().await;
    world.disconnect(&listen, DisconnectCause::Lost).await;
    world.connect(&mut listen).await;
    let again = listen.matched().await;
    assert_eq!(again.partner, vent.id);
    assert_ne!(again.room, room);
    assert_eq!(vent.matched().await.room, again.room);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_partner_is_notified_of_a_lost_connection_and_of_its_return() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, room) = world.talking().await;
    world.disconnect(&vent, DisconnectCause::Lost).await;
    assert!(!listen.partner_connected().await);
    assert!(!world.read(listen.id).await.state.room().expect("a room").partner_connected);
    let view = world.connect(&mut vent).await;
    assert!(listen.partner_connected().await);
    assert_eq!((view.state.room().expect("a room").room, view.delivered_seq), (room, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_partner_is_not_notified_of_a_drained_connection_that_is_back_in_time() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, _) = world.talking().await;
    world.disconnect(&vent, DisconnectCause::Drained).await;
    world.connect(&mut vent).await;
    world.disconnect(&vent, DisconnectCause::Lost).await;
    world.connect(&mut vent).await;
    world.leave(&vent).await;
    let mut notified = Vec::new();
    loop {
        match listen.next().await {
            Notification::Partner { connected } => notified.push(connected),
            Notification::Ended { .. } => break,
            _ => {}
        }
    }
    assert_eq!(notified, [false, true], "only of the loss that followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_partner_is_notified_of_a_drained_connection_that_stays_away() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--drain-grace", "300ms"]).await;
    let (mut vent, mut listen, _) = world.talking().await;
    let started = Instant::now();
    world.disconnect(&vent, DisconnectCause::Drained).await;
    assert!(!listen.partner_connected().await);
    assert!(started.elapsed() >= Duration::from_millis(300));
    world.connect(&mut vent).await;
    assert!(listen.partner_connected().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_supersedes_the_older_one_whose_late_close_harms_nobody() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, _listen, _) = world.talking().await;
    let late = world.disconnected(&vent, DisconnectCause::Lost);
    world.connect(&mut vent).await;
    let newest = Some(Register::open(vent.stamp.clone()));
    let superseding = |one| if let Notification::Superseded { register } = one { Some(register) } else { None };
    assert_eq!(Some(vent.wait_for(superseding).await), newest);
    assert_eq!(good(world.request(&late).await).connection, newest);
    assert_eq!(world.read(vent.id).await.connection, newest);
}

/// Its gateway, or the NATS server that it was published to, hung meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_command_comes_late_replaces_no_newer_one() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut person = world.waiting(Queue::Vent).await;
    let older = world.gateway.next_stamp();
    world.connect(&mut person).await;
    let late = good(world.request(&UserCommand::Connected { user: person.id, stamp: older }).await);
    assert_eq!(late.connection, Some(Register::open(person.stamp.clone())), "the reply shows the winner");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_overtakes_its_open_leaves_no_ghost() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let person = world.new_person().await;
    good(world.queue(person.id, Queue::Talk).await);
    good(world.disconnect(&person, DisconnectCause::Lost).await);
    let view = world.claim(&person).await;
    assert!(!view.connection.expect("a register").is_open());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_lapses_disconnects_its_users_without_a_write_and_a_renewed_one_connects_them() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--lease-grace", "1s"]).await;
    let (vent, mut listen, room) = world.talking().await;
    let waiting = world.waiting(Queue::Vent).await;
    let world = world.let_lease_lapse().await;
    assert!(!listen.partner_connected().await);
    let registers = doc! { "connection.state": "open" };
    assert_eq!(count(&world.users(), registers).await, 3, "nothing was written of them");
    let other = world.waiting(Queue::Listen).await;
    world.becomes("another round of matching", async |_| true).await;
    assert!(matches!(world.read(other.id).await.state, UserState::Waiting { .. }), "{} is not offered", waiting.id);
    let world = world.renew_lease().await;
    assert!(listen.partner_connected().await);
    assert_eq!(world.read(vent.id).await.state.room().expect("a room").room, room);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_of_a_dead_gateway_are_removed_after_the_resume_window() {
    let times = ["--match-interval", "100ms", "--lease-grace", "0s", "--resume-window", "1s"];
    let (world, _matcher) = World::with_matcher(&times).await;
    let (_vent, mut listen, room) = world.talking().await;
    world.waiting(Queue::Vent).await;
    let world = world.let_lease_lapse().await;
    assert_eq!(listen.ended().await, EndReason::Gone);
    world
        .becomes("nothing is left", async |_| {
            count(&world.users(), doc! {}).await == 0 && count(&world.rooms(), by_id(room)).await == 0
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_stays_away_too_long_is_removed_and_the_partner_is_notified_of_the_end() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--resume-window", "500ms"]).await;
    let (vent, mut listen, room) = world.talking().await;
    let waiting = world.waiting(Queue::Listen).await;
    world.disconnect(&waiting, DisconnectCause::Lost).await;
    world.disconnect(&vent, DisconnectCause::Lost).await;
    assert_eq!(listen.ended().await, EndReason::Gone);
    assert_eq!(world.read(listen.id).await.state, UserState::Idle);
    world
        .becomes("nothing is left", async |_| {
            count(&world.users(), doc! {}).await == 0 && count(&world.rooms(), by_id(room)).await == 0
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_command_that_nobody_waits_for_any_more_queues_nobody() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut person = world.new_person().await;
    world.connect(&mut person).await;
    let command = UserCommand::QueueRequested { user: person.id, queue: Queue::Vent, settle_ms: 0 };
    assert_eq!(world.request_as(CommandId::new(), &command).await, Reply::Refused(Refusal::Outdated));
    assert_eq!(world.read(person.id).await.state, UserState::Idle);
    good(world.request(&command).await);
}
