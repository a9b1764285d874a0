//! Connections: lost, back, replaced, reasserted, and gateways that die.

use crate::world::{World, by_id, count, good, waits_since};
use mongodb::bson::doc;
use proto::{
    Command as _, Live, Place, Queue, Refusal, Reply, UserCommand,
    bus::now_ms,
    commands::{Loss, VERSION},
    events::EndReason,
};
use std::time::{Duration, Instant};

const QUICK: &[&str] = &["--match-interval", "100ms"];

#[tokio::test(flavor = "multi_thread")]
async fn whose_partner_is_lost_before_it_began_is_back_in_the_place_they_had() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut vent = world.waiting(Queue::Vent).await;
    let since = waits_since(&world.read(vent.id).await);
    let mut listen = world.waiting(Queue::Listen).await;
    let room = vent.matched().await.room;
    listen.matched().await;
    world.lose(&listen, Loss::Lost).await;
    assert_eq!(
        vent.hears_of(|live| if let Live::Unmatched { .. } = live { Some(live) } else { None }).await,
        Live::Unmatched { queue: Queue::Vent, since_ms: since }
    );
    waits_since(&world.read(listen.id).await);
    world.becomes("the room is gone", async |_| count(&world.rooms(), by_id(room)).await == 0).await;
    let next = world.waiting(Queue::Listen).await;
    assert_eq!(vent.matched().await.partner, next.id, "the lost one is not offered");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_lost_before_it_began_is_matched_again_on_coming_back() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, room) = world.matched().await;
    world.lose(&listen, Loss::Lost).await;
    world.connect(&mut listen).await;
    let again = listen.matched().await;
    assert_eq!(again.partner, vent.id);
    assert_ne!(again.room, room);
    assert_eq!(vent.matched().await.room, again.room);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_partner_is_told_of_a_lost_connection_and_of_its_return() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, room) = world.talking().await;
    world.lose(&vent, Loss::Lost).await;
    assert!(!listen.partner_connected().await);
    let view = world.connect(&mut vent).await;
    assert!(listen.partner_connected().await);
    assert_eq!((view.place.room().expect("a room").room, view.seen), (room, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_partner_hears_nothing_of_a_drained_connection_that_is_back_in_time() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, _) = world.talking().await;
    world.lose(&vent, Loss::Drained).await;
    world.connect(&mut vent).await;
    world.lose(&vent, Loss::Lost).await;
    world.connect(&mut vent).await;
    world.leave(&vent).await;
    let mut heard = Vec::new();
    loop {
        match listen.hears().await {
            Live::Partner { connected } => heard.push(connected),
            Live::Ended { .. } => break,
            _ => {}
        }
    }
    assert_eq!(heard, [false, true], "only the loss that followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_partner_is_told_of_a_drained_connection_that_stays_away() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--drain-grace", "300ms"]).await;
    let (mut vent, mut listen, _) = world.talking().await;
    let started = Instant::now();
    world.lose(&vent, Loss::Drained).await;
    assert!(!listen.partner_connected().await);
    assert!(started.elapsed() >= Duration::from_millis(300));
    world.connect(&mut vent).await;
    assert!(listen.partner_connected().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_disconnect_of_an_old_socket_harms_nobody() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (mut vent, _listen, _) = world.talking().await;
    let old = vent.epoch;
    world.connect(&mut vent).await;
    assert_eq!(
        vent.hears_of(|live| if let Live::Replaced { epoch } = live { Some(epoch) } else { None }).await,
        vent.epoch
    );
    let late = UserCommand::Disconnected { user: vent.id, epoch: old, seen: 0, cause: Loss::Lost };
    assert_eq!(world.ask(&late).await, Reply::Refused(Refusal::Outdated));
    assert_eq!(world.read(vent.id).await.epoch, vent.epoch);
}

/// Publishes a command that was said this long ago, and says its place in the stream.
async fn said_before(world: &World, command: &UserCommand, ago: Duration) -> u64 {
    let mut payload = serde_json::to_value(command).expect("JSON");
    payload["v"] = VERSION.into();
    payload["at_ms"] = (now_ms() - i64::try_from(ago.as_millis()).expect("milliseconds")).into();
    let sent = world.bus.js.publish(command.subject(), payload.to_string().into()).await.expect("sent");
    sent.await.expect("stored in the stream").sequence
}

/// Its gateway, or the NATS server that it was said to, hung meanwhile, and its client has given it up.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_told_late_replaces_no_newer_one() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let person = world.waiting(Queue::Vent).await;
    let hung = said_before(&world, &world.connected(person.id, None), Duration::from_secs(10)).await;
    let taken_back = UserCommand::Disconnected { user: person.id, epoch: hung, seen: 0, cause: Loss::Lost };
    world.ask(&taken_back).await;
    assert_eq!(world.read(person.id).await.epoch, person.epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnect_that_overtakes_its_connect_leaves_no_ghost() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let person = world.somebody().await;
    good(world.queue(person.id, Queue::Talk).await);
    let before = world.publish(&UserCommand::Joined { user: person.id }).await;
    // The epoch of a connect is its place in the stream, which nobody else writes to here.
    let overtaking = UserCommand::Disconnected { user: person.id, epoch: before + 2, seen: 0, cause: Loss::Lost };
    good(world.ask(&overtaking).await);
    let overtaken = world.connected(person.id, None);
    assert_eq!(world.ask(&overtaken).await, Reply::Refused(Refusal::Outdated));
    assert_eq!(world.read(person.id).await.epoch, 0, "has no connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connections_of_a_dead_gateway_are_lost_and_those_elsewhere_are_not() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--gateway-grace", "2s"]).await;
    let (vent, mut listen, _) = world.talking().await;
    let elsewhere =
        UserCommand::Connected { user: listen.id, gateway: "another".parse().expect("an id"), reassert: None };
    good(world.ask(&elsewhere).await);
    let world = world.kill_gateway().await;
    assert!(!listen.partner_connected().await);
    assert_eq!(world.read(vent.id).await.epoch, 0);
    assert_ne!(world.read(listen.id).await.epoch, 0);
    // The gateway was only slow: it says that this connection never went away.
    let reasserted = good(world.ask(&world.connected(vent.id, Some(vent.epoch))).await);
    assert!(listen.partner_connected().await);
    assert_eq!(world.read(vent.id).await.epoch, reasserted.epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reassertion_is_not_believed_once_a_newer_connection_has_come() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut person = world.waiting(Queue::Vent).await;
    let old = person.epoch;
    world.connect(&mut person).await;
    let reassert = world.connected(person.id, Some(old));
    assert_eq!(world.ask(&reassert).await, Reply::Refused(Refusal::Outdated));
    assert_eq!(world.read(person.id).await.epoch, person.epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stays_away_too_long_is_removed_and_the_partner_is_told_that_it_is_over() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--resume-window", "500ms"]).await;
    let (vent, mut listen, room) = world.talking().await;
    let waiting = world.waiting(Queue::Listen).await;
    world.lose(&waiting, Loss::Lost).await;
    world.lose(&vent, Loss::Lost).await;
    let reason = listen.hears_of(|live| if let Live::Ended { reason } = live { Some(reason) } else { None }).await;
    assert_eq!(reason, EndReason::Gone);
    assert_eq!(world.read(listen.id).await.place, Place::Idle);
    world
        .becomes("nothing is left", async |_| {
            count(&world.users(), doc! {}).await == 0 && count(&world.rooms(), by_id(room)).await == 0
        })
        .await;
}
