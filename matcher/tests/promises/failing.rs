//! What crashes and bad input leave behind, and what becomes of it.

use crate::world::{World, by_id, count, soon};
use futures_util::StreamExt as _;
use mongodb::bson::{Bson, doc};
use proto::{Live, Queue, RoomCommand, UserCommand, UserId, events::EndReason, streams, subjects};

const QUICK: &[&str] = &["--match-interval", "100ms"];

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_a_crash_kept_from_being_announced_is_announced_again() {
    // Nobody is reminded in between.
    let (world, matcher) = World::with_matcher(&["--match-interval", "1h"]).await;
    let (mut vent, mut listen, room) = world.matched().await;
    matcher.stop().await;
    let as_after_the_crash = doc! { "$set": { "announced_at": Bson::Null } };
    world.rooms().update_one(by_id(room), as_after_the_crash).await.expect("written");
    let _next = world.start(&["--match-interval", "1h"]);
    assert_eq!(vent.matched().await.room, room);
    assert_eq!(listen.matched().await.room, room);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_a_crash_kept_from_being_bound_keeps_nobody_from_being_matched() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--join-timeout", "1h"]).await;
    let tick = world.hold_the_tick().await;
    let (mut vent, mut listen) = (world.waiting(Queue::Vent).await, world.waiting(Queue::Listen).await);
    let member =
        |id: UserId, queue| doc! { "user": id.to_string(), "queue": queue, "queued_at": 0_i64, "joined": false };
    let after_the_crash = doc! {
        "_id": proto::RoomId::new().to_string(),
        "members": [member(vent.id, "vent"), member(listen.id, "listen")],
        "open": true,
        "begun": false,
        "created_at": proto::bus::now_ms(),
        "announced_at": Bson::Null,
        "expires_at": mongodb::bson::DateTime::MAX,
    };
    world.rooms().insert_one(after_the_crash).await.expect("written");
    tick.give_back().await.expect("given back");
    assert_eq!(vent.matched().await.room, listen.matched().await.room);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_everything_else_forgot_is_removed_by_the_backstop() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--room-ttl", "2s"]).await;
    let (_vent, _listen, room) = world.matched().await;
    let orphans = doc! { "$set": { "connected": false } };
    world.users().update_many(doc! {}, orphans).await.expect("written");
    world.becomes("nothing is left", async |_| count(&world.users(), doc! {}).await == 0).await;
    world.becomes("no room is left", async |_| count(&world.rooms(), by_id(room)).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backstop_spares_whoever_is_connected() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--room-ttl", "8s"]).await;
    let (vent, _listen, room) = world.talking().await;
    let first = expiry(&world, vent.id, room).await;
    world
        .becomes("both are put off", async |_| {
            let now = expiry(&world, vent.id, room).await;
            now.0 > first.0 && now.1 > first.1
        })
        .await;
}

async fn expiry(
    world: &World,
    user: UserId,
    room: proto::RoomId,
) -> (mongodb::bson::DateTime, mongodb::bson::DateTime) {
    let user = world.users().find_one(by_id(user)).await.expect("found").expect("the user");
    let room = world.rooms().find_one(by_id(room)).await.expect("found").expect("the room");
    let of = |document: &mongodb::bson::Document| *document.get_datetime("expires_at").expect("a time");
    (of(&user), of(&room))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_missed_the_match_is_told_again_until_they_have_entered() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "1s"]).await;
    let (vent, mut listen, room) = world.matched().await;
    world.join(&vent).await;
    let view = listen.matched().await;
    assert_eq!((view.room, view.joined), (room, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_a_crash_kept_from_being_finished_is_finished() {
    let (world, matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, room) = world.talking().await;
    matcher.stop().await;
    let closing = doc! { "reason": "left", "back": [], "at": 0_i64 };
    let as_after_the_crash = doc! { "$set": { "open": false, "closing": closing } };
    world.rooms().update_one(by_id(room), as_after_the_crash).await.expect("written");
    let erase = crate::world::subject(&RoomCommand::RoomEnded { room });
    let mut ended = world.bus.client.subscribe(erase).await.expect("subscribed");
    let _next = world.start(QUICK);
    for person in [&mut vent, &mut listen] {
        let reason = person.hears_of(|live| if let Live::Ended { reason } = live { Some(reason) } else { None }).await;
        assert_eq!(reason, EndReason::Left);
    }
    soon(ended.next()).await.expect("the chat-store is told");
    world.becomes("nothing is left", async |_| count(&world.users(), doc! {}).await == 0).await;
    assert_eq!(count(&world.rooms(), doc! {}).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_a_room_that_is_being_finished_is_not_refused_a_queue() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "1h"]).await;
    let (vent, _listen, room) = world.talking().await;
    // In an hour at the earliest, for the sweep.
    let closing = doc! { "reason": "left", "back": [], "at": i64::MAX };
    let closed = doc! { "$set": { "open": false, "closing": closing } };
    world.rooms().update_one(by_id(room), closed).await.expect("written");
    crate::world::good(world.queue(vent.id, Queue::Vent).await);
    assert_eq!(count(&world.rooms(), by_id(room)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_command_goes_to_the_dead_letters_and_the_others_go_on() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut buried = world.bus.client.subscribe(subjects::DEAD_LETTERS).await.expect("subscribed");
    let subject = subjects::user_command(&UserCommand::Left { user: UserId::new() });
    let bad = world.bus.js.publish(subject.clone(), "not a command".into()).await.expect("sent");
    bad.await.expect("stored in the stream");
    let letter = soon(buried.next()).await.expect("a dead letter");
    assert_eq!(letter.subject, subjects::dead_letter(&subject));
    assert_eq!(letter.payload, "not a command");
    let _vent = world.waiting(Queue::Vent).await;
    world
        .becomes("every command is done with", async |_| {
            world.bus.js.get_stream(streams::USERS).await.expect("the stream").cached_info().state.messages == 0
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_itself_refuses_a_second_open_room_for_anybody() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let (_vent, _listen, room) = world.matched().await;
    let mut second = world.rooms().find_one(by_id(room)).await.expect("found").expect("the room");
    second.insert("_id", proto::RoomId::new().to_string());
    let error = world.rooms().insert_one(second).await.expect_err("refused");
    assert!(error.to_string().contains("E11000"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_sent_to_where_answers_go_and_nowhere_else() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut matches = world.bus.client.subscribe("talk.>").await.expect("subscribed");
    let (user, forged) = (UserId::new(), subjects::match_made(proto::RoomId::new()));
    let command = UserCommand::Left { user };
    let sent = world.bus.command(proto::CommandId::new(), &command, Some(&forged)).await.expect("sent");
    sent.await.expect("stored in the stream");
    // After the other, since it is of the same user.
    world.ask(&UserCommand::Left { user }).await;
    loop {
        let heard = soon(matches.next()).await.expect("something");
        assert_ne!(heard.subject, forged);
        if heard.subject.starts_with("talk.reply.") {
            break;
        }
    }
}
