//! A bus and a database of a test's own, with rooms as the matcher would have written them.

use crate::replica::Replica;
use chat_store::Config;
use clap::Parser as _;
use futures_util::{StreamExt as _, TryStreamExt as _};
use mongodb::{
    Client, Collection, Database,
    bson::{Document, doc},
};
use proto::{
    CommandId, Message, MessageId, Notification, Reply, RoomCommand, RoomId, UserId,
    bus::{Bus, retry::until_ok},
    commands::Liked,
    notification::{History, HistoryRequest},
    streams, subjects,
};
use serde::de::DeserializeOwned;
use servers::{Mongo, Nats, NatsCluster, NatsOptions, shared_mongo};
use std::{collections::BTreeMap, time::Duration};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// Longer than everything that may happen in between; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    servers: NatsServers,
    pub(crate) bus: Bus,
    pub(crate) database: Database,
    uri: String,
}

enum NatsServers {
    One(Nats),
    Cluster(NatsCluster),
}

/// A room of two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) id: RoomId,
    pub(crate) members: [UserId; 2],
}

impl NatsServers {
    fn url(&self) -> String {
        match self {
            Self::One(nats) => nats.url(),
            Self::Cluster(cluster) => cluster.url(),
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(shared_mongo().await.expect("a mongod")).await
    }

    pub(crate) async fn with(mongo: &Mongo) -> Self {
        let nats = Nats::start(NatsOptions::default()).await.expect("a nats-server");
        Self::over(NatsServers::One(nats), 1, mongo).await
    }

    /// With three NATS servers, as in production.
    pub(crate) async fn in_a_cluster() -> Self {
        let cluster = NatsCluster::start(3).await.expect("three nats-servers");
        Self::over(NatsServers::Cluster(cluster), 3, shared_mongo().await.expect("a mongod")).await
    }

    async fn over(servers: NatsServers, replicas: usize, mongo: &Mongo) -> Self {
        let addresses: Vec<String> = servers.url().split(',').map(str::to_owned).collect();
        let bus = Bus::new(async_nats::connect(addresses).await.expect("a connection"));
        until_ok(|| streams::declare(&bus.js, replicas), |_| {}).await;
        let database = Client::with_uri_str(mongo.url()).await.expect("a client").database(&mongo.fresh_database());
        Self { servers, bus, database, uri: mongo.url() }
    }

    /// The only NATS server.
    pub(crate) fn nats(&self) -> &Nats {
        match &self.servers {
            NatsServers::One(nats) => nats,
            NatsServers::Cluster(_) => panic!("there are three"),
        }
    }

    pub(crate) fn config(&self, more: &[&str]) -> Config {
        Config::parse_from(self.args(more))
    }

    fn args(&self, more: &[&str]) -> Vec<String> {
        let (nats, database) = (self.servers.url(), self.database.name());
        let args = ["chat-store", "--nats-url", &nats, "--mongodb-uri", &self.uri, "--mongodb-database", database];
        args.iter().chain(&["--health-addr", "127.0.0.1:0"]).chain(more).map(ToString::to_string).collect()
    }

    /// Starts a chat-store as a process of its own, which can be suspended.
    pub(crate) fn spawn(&self) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-store"));
        command.args(&self.args(&[])[1..]).kill_on_drop(true).spawn().expect("started")
    }

    pub(crate) fn start(&self, more: &[&str]) -> Replica {
        Replica::of(self.config(more))
    }

    pub(crate) async fn room(&self) -> Room {
        let room = Room { id: RoomId::new(), members: [UserId::new(), UserId::new()] };
        let member =
            |user: UserId| doc! {"user": user.to_string(), "queue": "talk", "queued_at": 0_i64, "entered": true};
        let members: Vec<Document> = room.members.iter().map(|user| member(*user)).collect();
        let written = doc! {"_id": room.id.to_string(), "members": members, "open": true, "started": true};
        self.rooms().insert_one(written).await.expect("a room");
        room
    }

    pub(crate) async fn close(&self, room: Room) {
        let which = doc! {"_id": room.id.to_string()};
        self.rooms().update_one(which, doc! {"$set": {"open": false}}).await.expect("closed");
    }

    pub(crate) async fn erased_by_another(&self, room: Room) {
        let which = doc! {"room_id": room.id.to_string()};
        self.database.collection::<Message>("messages").delete_many(which).await.expect("erased");
    }

    fn rooms(&self) -> Collection<Document> {
        self.database.collection("rooms")
    }

    /// The stored messages of a room by their sequences.
    pub(crate) async fn stored(&self, room: Room) -> Vec<Message> {
        self.find(doc! {"room_id": room.id.to_string()}).await
    }

    /// All stored messages.
    pub(crate) async fn all_stored(&self) -> Vec<Message> {
        self.find(doc! {}).await
    }

    async fn find(&self, which: Document) -> Vec<Message> {
        let messages = self.database.collection::<Message>("messages");
        messages.find(which).sort(doc! {"seq": 1}).await.expect("found").try_collect().await.expect("messages")
    }

    /// Publishes a command, and waits until the stream has it.
    pub(crate) async fn publish(&self, command: &RoomCommand) -> u64 {
        let sent = self.bus.publish_command(CommandId::new(), command, None).await.expect("sent");
        sent.await.expect("stored in the stream").sequence
    }

    /// Publishes a command, and returns what waits for the reply.
    pub(crate) async fn publish_for_reply<T: DeserializeOwned>(
        &self,
        command: &RoomCommand,
    ) -> impl Future<Output = Reply<T>> + use<T> {
        let id = CommandId::new();
        let subject = subjects::reply(&"gateway".parse().expect("an id"), id);
        let mut replies = self.bus.client.subscribe(subject.clone()).await.expect("subscribed");
        let sent = self.bus.publish_command(id, command, Some(&subject)).await.expect("sent");
        sent.await.expect("stored in the stream");
        async move {
            let reply = timeout(PATIENCE, replies.next()).await.expect("a reply in time").expect("a reply");
            serde_json::from_slice(&reply.payload).expect("a reply")
        }
    }

    /// Publishes a command, and waits for the reply.
    pub(crate) async fn request<T: DeserializeOwned>(&self, command: &RoomCommand) -> Reply<T> {
        self.publish_for_reply(command).await.await
    }

    /// Sends a message, and waits until it is stored.
    pub(crate) async fn send(&self, room: Room, author: UserId, nonce: &str) -> Message {
        ok(self.request(&message(room, author, nonce)).await)
    }

    pub(crate) async fn like(&self, room: Room, user: UserId, message: MessageId) -> Reply<Liked> {
        self.request(&RoomCommand::MessageLiked { room: room.id, user, message }).await
    }

    pub(crate) async fn history(&self, room: Room, user: UserId, after_seq: u64) -> Reply<History> {
        let request = HistoryRequest { user, after_seq };
        self.bus.request(subjects::read_history(room.id), &request).await.expect("a reply")
    }

    /// The notifications of a user from now on.
    pub(crate) async fn notifications(&self, user: UserId) -> Notifications {
        Notifications(self.bus.client.subscribe(subjects::notifications_of(user)).await.expect("subscribed"))
    }

    /// What a stream holds of each subject.
    pub(crate) async fn subjects_in(&self, stream: &str) -> BTreeMap<String, usize> {
        let stream = self.bus.js.get_stream(stream).await.expect("the stream");
        stream.info_with_subjects(">").await.expect("its subjects").try_collect().await.expect("all subjects")
    }

    /// Looks until it is so: the server has no signal for what this waits for.
    pub(crate) async fn eventually(&self, what: &str, mut so: impl AsyncFnMut() -> bool) {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let looked = timeout(PATIENCE, async {
            while !so().await {
                ticks.tick().await;
            }
        });
        looked.await.unwrap_or_else(|_| panic!("never so: {what}"));
    }
}

/// The notifications of one user.
pub(crate) struct Notifications(async_nats::Subscriber);

impl Notifications {
    pub(crate) async fn next(&mut self) -> Notification {
        let next = timeout(PATIENCE, self.0.next()).await.expect("a notification in time").expect("a notification");
        serde_json::from_slice(&next.payload).expect("a notification")
    }

    pub(crate) async fn message(&mut self) -> Message {
        match self.next().await {
            Notification::Message(message) => message,
            other => panic!("notified of {other:?}"),
        }
    }
}

pub(crate) fn message(room: Room, author: UserId, nonce: &str) -> RoomCommand {
    RoomCommand::MessageSent { room: room.id, author, nonce: nonce.to_owned(), content: format!("text {nonce}") }
}

pub(crate) fn ok<T: std::fmt::Debug>(reply: Reply<T>) -> T {
    match reply {
        Reply::Ok(reply) => reply,
        refused @ Reply::Refused(_) => panic!("{refused:?}"),
    }
}

pub(crate) fn nonces(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.nonce.as_str()).collect()
}

/// The sequences of a room's messages have to be 1, 2, 3, …
pub(crate) fn dense(messages: &[Message]) {
    let seqs: Vec<u64> = messages.iter().map(|message| message.seq).collect();
    assert_eq!(seqs, (1..=messages.len() as u64).collect::<Vec<_>>(), "sequences without gaps");
}
