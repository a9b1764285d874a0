//! What crashes and bad input leave behind, and what becomes of it.

use crate::world::{World, by_id, count, good, soon};
use futures_util::StreamExt as _;
use mongodb::bson::{Bson, doc};
use proto::{
    Command as _, Notification, Queue, RoomCommand, UserCommand, UserId, notification::EndReason, streams, subjects,
};

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
    let (world, _matcher) = World::with_matcher(&["--match-interval", "100ms", "--enter-timeout", "1h"]).await;
    let tick = world.hold_leadership().await;
    let (mut vent, mut listen) = (world.waiting(Queue::Vent).await, world.waiting(Queue::Listen).await);
    let member =
        |id: UserId, queue| doc! { "user": id.to_string(), "queue": queue, "queued_at": 0_i64, "entered": false };
    let after_the_crash = doc! {
        "_id": proto::RoomId::new().to_string(),
        "members": [member(vent.id, "vent"), member(listen.id, "listen")],
        "open": true,
        "started": false,
        "created_at": proto::bus::now_ms(),
        "announced_at": Bson::Null,
        "expires_at": mongodb::bson::DateTime::MAX,
    };
    world.rooms().insert_one(after_the_crash).await.expect("written");
    tick.release().await.expect("released");
    assert_eq!(vent.matched().await.room, listen.matched().await.room);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_is_announced_again_until_both_have_entered() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "1s"]).await;
    let (vent, mut listen, room) = world.matched().await;
    good(world.enter(&vent, room).await);
    let view = listen.matched().await;
    assert_eq!((view.room, view.entered), (room, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_a_crash_cut_off_is_completed() {
    let (world, matcher) = World::with_matcher(QUICK).await;
    let (mut vent, mut listen, room) = world.talking().await;
    matcher.stop().await;
    let closing = doc! { "reason": "left", "requeue": [], "at": 0_i64 };
    let as_after_the_crash = doc! { "$set": { "open": false, "closing": closing } };
    world.rooms().update_one(by_id(room), as_after_the_crash).await.expect("written");
    let erase = crate::world::subject(&RoomCommand::RoomEnded { room });
    let mut ended = world.bus.client.subscribe(erase).await.expect("subscribed");
    let _next = world.start(QUICK);
    for person in [&mut vent, &mut listen] {
        let reason =
            person.wait_for(|one| if let Notification::Ended { reason } = one { Some(reason) } else { None }).await;
        assert_eq!(reason, EndReason::Left);
    }
    soon(ended.next()).await.expect("the chat-store is told");
    world.becomes("nothing is left", async |_| count(&world.users(), doc! {}).await == 0).await;
    assert_eq!(count(&world.rooms(), doc! {}).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whose_room_is_being_closed_is_not_refused_a_queue() {
    let (world, _matcher) = World::with_matcher(&["--match-interval", "1h"]).await;
    let (vent, _listen, room) = world.talking().await;
    // In an hour at the earliest, for the sweep.
    let closing = doc! { "reason": "left", "requeue": [], "at": i64::MAX };
    let closed = doc! { "$set": { "open": false, "closing": closing } };
    world.rooms().update_one(by_id(room), closed).await.expect("written");
    crate::world::good(world.queue(vent.id, Queue::Vent).await);
    assert_eq!(count(&world.rooms(), by_id(room)).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_command_is_dead_lettered_and_the_others_go_on() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut buried = world.bus.client.subscribe(subjects::DEAD_LETTERS).await.expect("subscribed");
    let subject = UserCommand::Left { user: UserId::new() }.subject();
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
async fn a_reply_is_sent_to_where_replies_go_and_nowhere_else() {
    let (world, _matcher) = World::with_matcher(QUICK).await;
    let mut matches = world.bus.client.subscribe("talk.>").await.expect("subscribed");
    let (user, forged) = (UserId::new(), subjects::match_made(proto::RoomId::new()));
    let command = UserCommand::Left { user };
    let sent = world.bus.publish_command(proto::CommandId::new(), &command, Some(&forged)).await.expect("sent");
    sent.await.expect("stored in the stream");
    // After the other, since it is of the same user.
    world.request(&UserCommand::Left { user }).await;
    loop {
        let heard = soon(matches.next()).await.expect("something");
        assert_ne!(heard.subject, forged);
        if heard.subject.starts_with("talk.reply.") {
            break;
        }
    }
}
