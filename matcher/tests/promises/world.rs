//! A bus and a database of a test's own, and people who use them through a gateway, which is played here: it serves
//! connections, and waits for replies.

use crate::{gateway::Gateway, person::Person};
use clap::Parser as _;
use futures_util::StreamExt as _;
use matcher::Config;
use mongodb::{
    Client, Collection, Database,
    bson::{Document, doc},
};
use proto::{
    Command, CommandId, Queue, Reply, RoomId, UserCommand, UserId, UserState, UserView,
    bus::Bus,
    commands::DisconnectCause,
    lease::{self, Lease, Renewal},
    notification::QueueStatus,
    streams, subjects,
};
use serde::de::DeserializeOwned;
use servers::{Mongo, Nats, NatsOptions, shared_mongo};
use std::time::Duration;
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// Longer than everything that may happen in between; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) nats: Nats,
    pub(crate) bus: Bus,
    pub(crate) database: Database,
    pub(crate) gateway: Gateway,
    uri: String,
    lease: Lease,
}

/// A matcher in this process.
pub(crate) struct Replica {
    pub(crate) shutdown: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

/// Waits for something that has to happen.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("in time")
}

impl World {
    pub(crate) async fn new() -> Self {
        let mongo = shared_mongo().await.expect("a mongod");
        Self::on(mongo, &mongo.fresh_database()).await
    }

    /// A bus of its own, on a database that another world may use too.
    pub(crate) async fn on(mongo: &Mongo, database: &str) -> Self {
        let nats = Nats::start(NatsOptions::default()).await.expect("a nats-server");
        let client = async_nats::connect(nats.url()).await.expect("a connection");
        let bus = Bus::new(client);
        streams::declare(&bus.js, 1).await.expect("streams");
        let uri = mongo.url();
        let database = Client::with_uri_str(&uri).await.expect("a client").database(database);
        let gateway = Gateway::start(&bus, &format!("gateway-{}", CommandId::new())).await;
        let lease = hold(&bus, &lease::gateway_key(&gateway.id), Duration::from_secs(600)).await;
        Self { nats, bus, database, gateway, uri, lease }
    }

    /// A world with one matcher.
    pub(crate) async fn with_matcher(more: &[&str]) -> (Self, Replica) {
        let world = Self::new().await;
        let replica = world.start(more);
        (world, replica)
    }

    pub(crate) fn start(&self, more: &[&str]) -> Replica {
        let (nats, database) = (self.nats.url(), self.database.name());
        let args = ["matcher", "--nats-url", &nats, "--mongodb-uri", &self.uri, "--mongodb-database", database];
        let config = Config::parse_from(args.iter().chain(&["--health-addr", "127.0.0.1:0"]).chain(more));
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(matcher::run(config, shutdown.clone()));
        Replica { shutdown, running }
    }

    /// Keeps matchers from becoming the leader, until it is released.
    pub(crate) async fn hold_leadership(&self) -> Lease {
        hold(&self.bus, lease::LEADER, Duration::from_secs(600)).await
    }

    /// The lease of a gateway on another bus.
    pub(crate) async fn hold_lease_of(&self, gateway: &Gateway) -> Lease {
        hold(&self.bus, &lease::gateway_key(&gateway.id), Duration::from_secs(600)).await
    }

    /// The lease of the gateway of all people here lapses.
    pub(crate) async fn let_lease_lapse(self) -> Self {
        self.lease.release().await.expect("released");
        let lease = hold(&self.bus, "gateway.another", Duration::from_secs(600)).await;
        Self { lease, ..self }
    }

    /// It is back.
    pub(crate) async fn renew_lease(self) -> Self {
        let lease = hold(&self.bus, &lease::gateway_key(&self.gateway.id), Duration::from_secs(600)).await;
        Self { lease, ..self }
    }

    /// Publishes a command whose reply nobody waits for, and returns its sequence in the stream.
    pub(crate) async fn publish(&self, command: &UserCommand) -> u64 {
        let sent = self.bus.publish_command(CommandId::new(), command, None).await.expect("sent");
        sent.await.expect("stored in the stream").sequence
    }

    /// Publishes a command and waits for its reply, as a gateway does.
    pub(crate) async fn request(&self, command: &UserCommand) -> Reply<UserView> {
        let id = CommandId::new();
        self.gateway.awaits(id);
        self.request_as(id, command).await
    }

    /// The same, by a gateway that has given up waiting when it is asked.
    pub(crate) async fn request_as(&self, id: CommandId, command: &UserCommand) -> Reply<UserView> {
        let reply_to = subjects::reply(&self.gateway.id, id);
        let mut replies = self.bus.client.subscribe(reply_to.clone()).await.expect("subscribed");
        let sent = self.bus.publish_command(id, command, Some(&reply_to)).await.expect("sent");
        sent.await.expect("stored in the stream");
        let reply = soon(replies.next()).await.expect("a reply");
        serde_json::from_slice(&reply.payload).expect("a reply")
    }

    pub(crate) async fn read(&self, user: UserId) -> UserView {
        let reply: Reply<UserView> = self.bus.request(subjects::read_user(user), &()).await.expect("a reply");
        good(reply)
    }

    /// A user whose notifications are received.
    pub(crate) async fn new_person(&self) -> Person {
        let id = UserId::new();
        let notifications = self.bus.client.subscribe(subjects::notifications_of(id)).await.expect("subscribed");
        Person { id, stamp: self.gateway.next_stamp(), notifications }
    }

    /// Opens a new connection.
    pub(crate) async fn connect(&self, person: &mut Person) -> UserView {
        person.stamp = self.gateway.open(person.id);
        self.claim(person).await
    }

    /// Publishes the connection that was opened last, once more.
    pub(crate) async fn claim(&self, person: &Person) -> UserView {
        good(self.request(&UserCommand::Connected { user: person.id, stamp: person.stamp.clone() }).await)
    }

    pub(crate) async fn queue(&self, user: UserId, queue: Queue) -> Reply<UserView> {
        self.request(&UserCommand::QueueRequested { user, queue, settle_ms: 0 }).await
    }

    /// Somebody who is connected and waits.
    pub(crate) async fn waiting(&self, queue: Queue) -> Person {
        let mut person = self.new_person().await;
        self.connect(&mut person).await;
        good(self.queue(person.id, queue).await);
        person
    }

    pub(crate) fn disconnected(&self, person: &Person, cause: DisconnectCause) -> UserCommand {
        let (user, stamp) = (person.id, person.stamp.clone());
        UserCommand::Disconnected { user, stamp, delivered_seq: 7, cause }
    }

    pub(crate) async fn disconnect(&self, person: &Person, cause: DisconnectCause) -> Reply<UserView> {
        self.gateway.forget(person.id);
        self.request(&self.disconnected(person, cause)).await
    }

    pub(crate) async fn leave(&self, person: &Person) -> Reply<UserView> {
        self.request(&UserCommand::Left { user: person.id }).await
    }

    pub(crate) async fn enter(&self, person: &Person, room: RoomId) -> Reply<UserView> {
        self.request(&UserCommand::Entered { user: person.id, room }).await
    }

    /// Two in a room that neither has entered.
    pub(crate) async fn matched(&self) -> (Person, Person, RoomId) {
        let (mut vent, mut listen) = (self.waiting(Queue::Vent).await, self.waiting(Queue::Listen).await);
        let room = vent.matched().await.room;
        assert_eq!(listen.matched().await.room, room);
        (vent, listen, room)
    }

    /// Two whose conversation has started.
    pub(crate) async fn talking(&self) -> (Person, Person, RoomId) {
        let (vent, listen, room) = self.matched().await;
        good(self.enter(&vent, room).await);
        good(self.enter(&listen, room).await);
        (vent, listen, room)
    }

    pub(crate) async fn subscribe<T: DeserializeOwned>(&self, subject: &'static str) -> impl FnMut() -> Next<T> {
        let updates = self.bus.client.subscribe(subject).await.expect("subscribed");
        let updates = std::sync::Arc::new(tokio::sync::Mutex::new(updates));
        move || {
            let updates = updates.clone();
            Box::pin(async move {
                let event = soon(async { updates.lock().await.next().await }).await.expect("an event");
                serde_json::from_slice(&event.payload).expect("its payload")
            })
        }
    }

    /// Looks into the database after each round of matching, until it is as it should be.
    pub(crate) async fn becomes(&self, what: &str, check: impl AsyncFn(&Database) -> bool) {
        let mut rounds = self.subscribe::<QueueStatus>(subjects::QUEUE_STATUS).await;
        let watched = async {
            while !check(&self.database).await {
                rounds().await;
            }
        };
        timeout(PATIENCE, watched).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
    }

    pub(crate) fn users(&self) -> Collection<Document> {
        self.database.collection("users")
    }

    pub(crate) fn rooms(&self) -> Collection<Document> {
        self.database.collection("rooms")
    }
}

type Next<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

async fn hold(bus: &Bus, key: &str, ttl: Duration) -> Lease {
    let mut lease = Lease::new(bus, key, "the test", ttl).await.expect("a bucket");
    assert_eq!(lease.renew().await.expect("a reply"), Renewal::Acquired);
    lease
}

impl Replica {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        soon(self.running).await.expect("no panic").expect("no failure");
    }
}

pub(crate) fn good(reply: Reply<UserView>) -> UserView {
    match reply {
        Reply::Ok(view) => view,
        Reply::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

/// Since when person waits.
pub(crate) fn waits_since(view: &UserView) -> i64 {
    match view.state {
        UserState::Waiting { since_ms, .. } => since_ms,
        ref other => panic!("does not wait: {other:?}"),
    }
}

pub(crate) fn by_id(id: impl ToString) -> Document {
    doc! { "_id": id.to_string() }
}

pub(crate) async fn count(collection: &Collection<Document>, filter: Document) -> u64 {
    collection.count_documents(filter).await.expect("a count")
}

/// The subject of a command, for subscribing beside the stream.
pub(crate) fn subject(command: &impl Command) -> String {
    command.subject().to_string()
}
