//! Messages and likes.

use crate::world::{World, dense, message, nonces, ok};
use futures_util::future::join_all;
use mongodb::bson::{DateTime, Document, doc};
use proto::{Message, MessageId, Notification, Refusal, Reply, RoomId, UserId};
use std::time::{Duration, SystemTime};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_stored_both_members_are_notified_and_the_author_has_a_reply() {
    let world = World::new().await;
    let replica = world.start(&[]);
    let room = world.room().await;
    let [author, partner] = room.members;
    let (mut to_author, mut to_partner) = (world.notifications(author).await, world.notifications(partner).await);

    let first = world.send(room, author, "one").await;
    let second = world.send(room, partner, "two").await;

    assert_eq!((first.room_id, first.author, first.nonce.as_str()), (room.id, author, "one"));
    assert_eq!((first.content.as_str(), first.liked, first.seq, second.seq), ("text one", false, 1, 2));
    assert_eq!(world.stored(room).await, [first.clone(), second.clone()]);
    for notified in [&mut to_author, &mut to_partner] {
        assert_eq!([notified.message().await, notified.message().await], [first.clone(), second.clone()]);
    }
    replica.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_notified_before_the_author_has_the_reply() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let room = world.room().await;
    let mut notified = world.notifications(room.members[1]).await;
    // One connection hears both, so that their order is the order of sending.
    let stored = world.send(room, room.members[0], "one").await;
    let already = futures_util::FutureExt::now_or_never(notified.message()).expect("notified by then");
    assert_eq!(already, stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_nonce_is_the_same_message_with_the_same_reply() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let room = world.room().await;
    let [author, partner] = room.members;

    // At once, and thereby in one batch or in several.
    let same = message(room, author, "same");
    let replies = join_all((0..20).map(|_| world.publish_for_reply::<Message>(&same))).await;
    let results: Vec<Message> = join_all(replies).await.into_iter().map(ok).collect();
    let other = world.send(room, partner, "same").await;
    let later = world.send(room, author, "same").await;

    assert!(results.iter().all(|result| *result == later));
    assert_eq!(world.stored(room).await, [later, other]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_nonce_among_new_ones_leaves_no_gap() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let room = world.room().await;
    let author = room.members[0];
    for round in 0..10 {
        let nonces =
            ["a", "b", "c", "d"].map(|name| if name == "b" { "b".to_owned() } else { format!("{name}{round}") });
        let replies = join_all(
            nonces.map(async |nonce| world.publish_for_reply::<Message>(&message(room, author, &nonce)).await),
        );
        join_all(replies.await).await.into_iter().for_each(|result| drop(ok(result)));
    }
    let stored = world.stored(room).await;
    assert_eq!(stored.len(), 31);
    dense(&stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_closed_rooms_are_refused_and_nothing_is_stored() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let (room, closed) = (world.room().await, world.room().await);
    let nowhere = crate::world::Room { id: RoomId::new(), members: room.members };
    world.close(closed).await;
    let refused = Reply::<Message>::Refused(Refusal::NotInRoom);

    for (room, author) in [(room, UserId::new()), (room, closed.members[0]), (closed, closed.members[0])] {
        assert_eq!(world.request::<Message>(&message(room, author, "n")).await, refused);
        assert!(world.stored(room).await.is_empty());
    }
    assert_eq!(world.request::<Message>(&message(nowhere, room.members[0], "n")).await, refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_like_of_a_member_is_stored_and_both_are_notified_once() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let room = world.room().await;
    let [author, partner] = room.members;
    let stored = world.send(room, author, "one").await;
    let mut notified = [world.notifications(author).await, world.notifications(partner).await];

    for _ in 0..2 {
        assert_eq!(ok(world.like(room, partner, stored.id).await).message_id, stored.id);
    }
    let after = world.send(room, author, "after").await;

    assert!(world.stored(room).await[0].liked);
    for notified in &mut notified {
        assert_eq!(notified.next().await, Notification::Liked { message_id: stored.id, user_id: partner });
        assert_eq!(notified.message().await, after, "the second like changed nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn likes_of_strangers_and_of_unknown_messages_change_nothing() {
    let world = World::new().await;
    let _replica = world.start(&[]);
    let (room, other) = (world.room().await, world.room().await);
    let stored = world.send(room, room.members[0], "one").await;

    let stranger = world.like(room, other.members[0], stored.id).await;
    assert_eq!(stranger, Reply::Refused(Refusal::NotInRoom));
    let from_elsewhere = world.like(other, other.members[0], stored.id).await;
    assert_eq!(from_elsewhere, Reply::Refused(Refusal::UnknownMessage));
    let nothing = world.like(room, room.members[1], MessageId::new()).await;
    assert_eq!(nothing, Reply::Refused(Refusal::UnknownMessage));
    assert!(!world.stored(room).await[0].liked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_like_follows_its_message_in_one_batch() {
    let world = World::new().await;
    let room = world.room().await;
    let [author, partner] = room.members;
    let replica = world.start(&[]);
    let first = world.send(room, author, "one").await;
    replica.stop().await;

    // Nobody consumes now, so that all of it is one batch for the next one.
    let sent = world.publish_for_reply::<Message>(&message(room, author, "two")).await;
    let like = proto::RoomCommand::MessageLiked { room: room.id, user: partner, message: first.id };
    let liked = world.publish_for_reply::<proto::commands::Liked>(&like).await;
    let again = world.publish_for_reply::<Message>(&message(room, author, "three")).await;
    let _replica = world.start(&[]);

    assert_eq!((ok(sent.await).seq, ok(liked.await).message_id, ok(again.await).seq), (2, first.id, 3));
    assert_eq!(nonces(&world.stored(room).await), ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_carries_its_own_expiry() {
    let world = World::new().await;
    let _replica = world.start(&["--message-ttl", "1h"]);
    let room = world.room().await;
    world.send(room, room.members[0], "one").await;

    let messages = world.database.collection::<Document>("messages");
    let stored = messages.find_one(doc! {}).await.expect("found").expect("one");
    let expires_at = stored.get_datetime("expires_at").expect("an end").to_system_time();
    let left = expires_at.duration_since(SystemTime::now()).expect("in the future");
    assert!(left > Duration::from_secs(3500) && left <= Duration::from_secs(3600), "{left:?}");
    let indexes = messages.list_indexes().await.expect("indexes");
    let indexes: Vec<_> = futures_util::TryStreamExt::try_collect(indexes).await.expect("all of them");
    let expiring = |index: &mongodb::IndexModel| {
        index.keys.contains_key("expires_at")
            && index.options.as_ref().is_some_and(|options| options.expire_after == Some(Duration::ZERO))
    };
    assert!(indexes.iter().any(expiring));
    assert!(expires_at <= DateTime::from_system_time(SystemTime::now() + Duration::from_secs(3600)).to_system_time());
}
