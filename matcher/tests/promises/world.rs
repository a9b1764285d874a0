//! A bus and a database of a test's own, and people who use them as a gateway would.

use crate::person::Person;
use clap::Parser as _;
use futures_util::StreamExt as _;
use matcher::Config;
use mongodb::{
    Client, Collection, Database,
    bson::{Document, doc},
};
use proto::{
    Command, CommandId, GatewayId, Place, Queue, Reply, RoomId, UserCommand, UserId, UserView,
    bus::Bus,
    commands::Loss,
    events::QueueStatus,
    lease::{self, Held, Lease},
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
    pub(crate) gateway: GatewayId,
    uri: String,
    alive: Lease,
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
        let gateway: GatewayId = "gateway-1".parse().expect("an id");
        let alive = hold(&bus, &lease::gateway_key(&gateway), Duration::from_secs(600)).await;
        Self { nats, bus, database, gateway, uri, alive }
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

    /// Keeps matchers from ticking, until it is given back.
    pub(crate) async fn hold_the_tick(&self) -> Lease {
        hold(&self.bus, lease::TICK, Duration::from_secs(600)).await
    }

    /// The gateway of all people here is dead from now on.
    pub(crate) async fn kill_gateway(self) -> Self {
        self.alive.give_back().await.expect("given back");
        let alive = hold(&self.bus, "gateway.another", Duration::from_secs(600)).await;
        Self { alive, ..self }
    }

    /// Publishes a command, and says its place in the stream.
    pub(crate) async fn publish(&self, command: &UserCommand) -> u64 {
        let sent = self.bus.command(CommandId::new(), command, None).await.expect("sent");
        sent.await.expect("stored in the stream").sequence
    }

    pub(crate) async fn ask(&self, command: &UserCommand) -> Reply<UserView> {
        let id = CommandId::new();
        let reply = subjects::reply(&self.gateway, id);
        let mut answers = self.bus.client.subscribe(reply.clone()).await.expect("subscribed");
        let sent = self.bus.command(id, command, Some(&reply)).await.expect("sent");
        sent.await.expect("stored in the stream");
        let answer = soon(answers.next()).await.expect("an answer");
        serde_json::from_slice(&answer.payload).expect("a reply")
    }

    pub(crate) async fn read(&self, user: UserId) -> UserView {
        let answer: Reply<UserView> = self.bus.request(subjects::read_user(user), &()).await.expect("an answer");
        good(answer)
    }

    /// Somebody whose events are listened to.
    pub(crate) async fn somebody(&self) -> Person {
        let id = UserId::new();
        let events = self.bus.client.subscribe(subjects::live_of(id)).await.expect("subscribed");
        Person { id, epoch: 0, events }
    }

    pub(crate) fn connected(&self, user: UserId, reassert: Option<u64>) -> UserCommand {
        UserCommand::Connected { user, gateway: self.gateway.clone(), reassert }
    }

    pub(crate) async fn connect(&self, person: &mut Person) -> UserView {
        let view = good(self.ask(&self.connected(person.id, None)).await);
        person.epoch = view.epoch;
        view
    }

    pub(crate) async fn queue(&self, user: UserId, queue: Queue) -> Reply<UserView> {
        self.ask(&UserCommand::QueueRequested { user, queue, settle_ms: 0 }).await
    }

    /// Somebody who is connected and waits.
    pub(crate) async fn waiting(&self, queue: Queue) -> Person {
        let mut person = self.somebody().await;
        self.connect(&mut person).await;
        good(self.queue(person.id, queue).await);
        person
    }

    pub(crate) async fn lose(&self, person: &Person, cause: Loss) -> Reply<UserView> {
        let Person { id: user, epoch, .. } = *person;
        self.ask(&UserCommand::Disconnected { user, epoch, seen: 7, cause }).await
    }

    pub(crate) async fn leave(&self, person: &Person) -> Reply<UserView> {
        self.ask(&UserCommand::Left { user: person.id }).await
    }

    pub(crate) async fn join(&self, person: &Person) -> Reply<UserView> {
        self.ask(&UserCommand::Joined { user: person.id }).await
    }

    /// Two in a room that neither has entered.
    pub(crate) async fn matched(&self) -> (Person, Person, RoomId) {
        let (mut vent, mut listen) = (self.waiting(Queue::Vent).await, self.waiting(Queue::Listen).await);
        let room = vent.matched().await.room;
        assert_eq!(listen.matched().await.room, room);
        (vent, listen, room)
    }

    /// Two whose conversation has begun.
    pub(crate) async fn talking(&self) -> (Person, Person, RoomId) {
        let (vent, listen, room) = self.matched().await;
        good(self.join(&vent).await);
        good(self.join(&listen).await);
        (vent, listen, room)
    }

    pub(crate) async fn subscribe<T: DeserializeOwned>(&self, subject: &'static str) -> impl FnMut() -> Next<T> {
        let told = self.bus.client.subscribe(subject).await.expect("subscribed");
        let told = std::sync::Arc::new(tokio::sync::Mutex::new(told));
        move || {
            let told = told.clone();
            Box::pin(async move {
                let event = soon(async { told.lock().await.next().await }).await.expect("an event");
                serde_json::from_slice(&event.payload).expect("its payload")
            })
        }
    }

    /// Looks into the database after each tick, until it is as it should be.
    pub(crate) async fn becomes(&self, what: &str, check: impl AsyncFn(&Database) -> bool) {
        let mut ticks = self.subscribe::<QueueStatus>(subjects::QUEUE_STATUS).await;
        let watched = async {
            while !check(&self.database).await {
                ticks().await;
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
    assert_eq!(lease.hold().await.expect("an answer"), Held::Taken);
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

/// Since when somebody waits.
pub(crate) fn waits_since(view: &UserView) -> i64 {
    match view.place {
        Place::Waiting { since_ms, .. } => since_ms,
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
