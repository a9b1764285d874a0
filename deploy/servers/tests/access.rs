//! The permissions of the files that production uses: what one user is allowed is refused to the others.

mod wire;

use mongodb::{
    Client, Collection,
    bson::{Document, doc},
    options::ClientOptions,
};
use servers::{Access, Mongo, MongoOptions, Nats, NatsOptions};
use std::time::Duration;
use wire::Wire;

const USERS: [&str; 5] = ["gateway", "matcher", "chat-store", "operator", "dead-letters"];

/// Subjects, and the users who may publish there.
const PUBLISHERS: [(&str, &[&str]); 38] = [
    ("talk.queue.requested.u", &["gateway", "dead-letters"]),
    ("talk.user.left.u", &["gateway", "dead-letters"]),
    ("talk.user.connected.u", &["gateway", "dead-letters"]),
    ("talk.user.disconnected.u", &["gateway", "dead-letters"]),
    ("talk.user.entered.u", &["gateway", "dead-letters"]),
    ("talk.message.sent.0.r", &["gateway", "dead-letters"]),
    ("talk.room.ended.0.r", &["matcher", "dead-letters"]),
    ("talk.match.made.r", &["matcher"]),
    ("talk.queue.status", &["matcher"]),
    ("talk.notify.matched.r.u", &["matcher"]),
    ("talk.notify.message.r.u", &["chat-store"]),
    ("talk.notify.superseded.r.u", &["matcher"]),
    ("talk.notify.typing.r.u", &["gateway"]),
    ("talk.gateway.pending.g", &["matcher"]),
    ("talk.gateway.connections.g", &["matcher"]),
    ("talk.gateway.resync.g", &["matcher"]),
    ("talk.reply.g.c", &["matcher", "chat-store"]),
    ("talk.event.stored.r", &["matcher", "chat-store"]),
    ("talk.read.history.r", &["gateway"]),
    ("talk.read.waiting", &["operator"]),
    ("$KV.talk_leases.gateway.g", &["gateway"]),
    ("$KV.talk_leases.matcher.leader", &["matcher"]),
    ("$JS.API.CONSUMER.CREATE.KV_talk_leases", &["matcher", "operator"]),
    ("$JS.API.DIRECT.GET.KV_talk_leases.$KV.talk_leases.gateway.g", &["gateway", "matcher", "operator"]),
    ("$JS.API.STREAM.CREATE.TALK_MESSAGES", &["matcher"]),
    ("$JS.API.STREAM.UPDATE.TALK_USERS", &["matcher"]),
    ("$JS.API.STREAM.DELETE.TALK_MESSAGES", &[]),
    ("$JS.API.STREAM.PURGE.TALK_MESSAGES", &["chat-store"]),
    ("$JS.API.STREAM.MSG.GET.TALK_MESSAGES", &["chat-store"]),
    ("$JS.API.STREAM.MSG.GET.TALK_DEAD", &["dead-letters"]),
    ("$JS.API.STREAM.MSG.DELETE.TALK_DEAD", &["dead-letters"]),
    ("$JS.API.DIRECT.GET.TALK_MESSAGES", &[]),
    ("$JS.API.CONSUMER.CREATE.TALK_USERS.matcher", &["matcher"]),
    ("$JS.API.CONSUMER.CREATE.TALK_MESSAGES.chat-store-0", &["chat-store"]),
    ("$JS.API.CONSUMER.MSG.NEXT.TALK_MESSAGES.chat-store-0", &["chat-store"]),
    ("$JS.API.CONSUMER.RESET.TALK_MESSAGES.chat-store-0", &["chat-store"]),
    ("$JS.API.CONSUMER.DELETE.TALK_USERS.matcher", &[]),
    ("$SRV.PING", &["operator"]),
];

/// Subjects, and the users who may subscribe to them.
const SUBSCRIBERS: [(&str, &[&str]); 20] = [
    (">", &[]),
    ("talk.>", &[]),
    ("talk.queue.requested.>", &[]),
    ("talk.message.sent.>", &[]),
    ("talk.notify.*.*.*", &["gateway"]),
    ("talk.notify.message.*.*", &["gateway"]),
    ("talk.gateway.>", &[]),
    ("talk.gateway.pending.*", &["gateway"]),
    ("talk.gateway.connections.*", &["gateway"]),
    ("talk.gateway.resync.*", &["gateway"]),
    ("talk.reply.*.*", &["gateway"]),
    ("talk.event.*.*", &["operator"]),
    ("talk.match.made.*", &["operator"]),
    ("talk.read.user.*", &["matcher"]),
    ("talk.read.history.*", &["chat-store"]),
    ("_INBOX_gateway.>", &["gateway"]),
    ("_INBOX_matcher.>", &["matcher"]),
    ("_INBOX_chat-store.>", &["chat-store"]),
    ("_INBOX_operator.>", &["operator"]),
    ("_INBOX_dead-letters.>", &["dead-letters"]),
];

#[tokio::test]
async fn each_user_of_the_bus_is_allowed_its_own_subjects_and_no_others() -> anyhow::Result<()> {
    let access = Access::default();
    let nats = Nats::start(NatsOptions { access: Some(access.clone()), ..Default::default() }).await?;
    for user in USERS {
        let mut wire = Wire::connect(&nats.url(), Some((user, &access.password(user)))).await?;
        for (subject, users) in PUBLISHERS {
            let allowed = wire.allows(&format!("PUB {subject} 0\r\n")).await?;
            assert_eq!(allowed, users.contains(&user), "{user} publishes {subject}");
        }
        for (subject, users) in SUBSCRIBERS {
            let allowed = wire.allows(&format!("SUB {subject} 1")).await?;
            assert_eq!(allowed, users.contains(&user), "{user} subscribes to {subject}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn without_users_every_subject_is_allowed() -> anyhow::Result<()> {
    let nats = Nats::start(NatsOptions::default()).await?;
    let mut wire = Wire::connect(&nats.url(), None).await?;
    for (subject, _) in PUBLISHERS {
        assert!(wire.allows(&format!("PUB {subject} 0\r\n")).await?, "{subject}");
    }
    for (subject, _) in SUBSCRIBERS {
        assert!(wire.allows(&format!("SUB {subject} 1")).await?, "{subject}");
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_or_none_is_refused_by_nats_and_mongodb() -> anyhow::Result<()> {
    let (access, other) = (Access::default(), Access::default());
    let nats = Nats::start(NatsOptions { access: Some(access.clone()), ..Default::default() }).await?;
    assert!(Wire::connect(&nats.url(), Some(("matcher", &access.password("matcher")))).await.is_ok());
    assert!(Wire::connect(&nats.url(), Some(("matcher", &access.password("gateway")))).await.is_err());
    assert!(Wire::connect(&nats.url(), None).await.is_err());

    let mongo = Mongo::start(MongoOptions { access: Some(access.clone()), ..Default::default() }).await?;
    access.grant(&mongo.url(), "talk").await?;
    let of = Some(("matcher", "talk"));
    assert!(writes(&access.mongodb_uri(&mongo.host(), of), "users").await);
    assert!(!writes(&other.mongodb_uri(&mongo.host(), of), "users").await);
    assert!(!writes(&format!("mongodb://{}/?replicaSet=rs0", mongo.host()), "users").await);
    Ok(())
}

#[tokio::test]
async fn each_service_writes_its_own_collections_only() -> anyhow::Result<()> {
    let access = Access::default();
    let mongo = Mongo::start(MongoOptions { access: Some(access.clone()), ..Default::default() }).await?;
    // Twice, as an upgrade does.
    access.grant(&mongo.url(), "talk").await?;
    access.grant(&mongo.url(), "talk").await?;
    for (collection, writer, readers) in [
        ("users", "matcher", &["matcher"][..]),
        ("rooms", "matcher", &["matcher", "chat-store"]),
        ("bans", "matcher", &["matcher"]),
        ("messages", "chat-store", &["chat-store"]),
        ("reports", "chat-store", &["chat-store"]),
        ("anything", "nobody", &[]),
    ] {
        for user in ["matcher", "chat-store"] {
            let uri = access.mongodb_uri(&mongo.host(), Some((user, "talk")));
            assert_eq!(writes(&uri, collection).await, user == writer, "{user} writes {collection}");
            assert_eq!(reads(&uri, collection).await, readers.contains(&user), "{user} reads {collection}");
        }
    }
    let uri = access.mongodb_uri(&mongo.host(), Some(("matcher", "talk")));
    let admin = Client::with_uri_str(uri).await?.database("admin");
    assert!(admin.run_command(doc! { "replSetGetConfig": 1 }).await.is_err());
    assert!(mongo_admin(&mongo).await?.run_command(doc! { "replSetGetConfig": 1 }).await.is_ok());
    Ok(())
}

async fn mongo_admin(mongo: &Mongo) -> anyhow::Result<mongodb::Database> {
    Ok(Client::with_uri_str(mongo.url()).await?.database("admin"))
}

async fn writes(uri: &str, collection: &str) -> bool {
    let collection = collection_of(uri, collection).await;
    let index = mongodb::IndexModel::builder().keys(doc! { "a": 1 }).build();
    let made = collection.create_index(index).await.is_ok();
    let written = collection.insert_one(doc! { "a": 1 }).await.is_ok();
    let removed = collection.delete_many(doc! {}).await.is_ok();
    assert!(made == written && written == removed, "only a part is allowed");
    written
}

async fn reads(uri: &str, collection: &str) -> bool {
    collection_of(uri, collection).await.find_one(doc! {}).await.is_ok()
}

async fn collection_of(uri: &str, collection: &str) -> Collection<Document> {
    let mut options = ClientOptions::parse(uri).await.expect("an address");
    // A refused login is reported only when the search for a server ends.
    options.server_selection_timeout = Some(Duration::from_secs(5));
    Client::with_options(options).expect("a client").database("talk").collection(collection)
}
