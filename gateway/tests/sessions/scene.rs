//! A gateway in this process and on this thread, with a real NATS. The matcher is played by the test, which can so let
//! anything happen at any moment.

use std::time::Duration;

use async_nats::jetstream::{consumer::pull, message::PublishMessage};
use clap::Parser as _;
use futures_util::StreamExt as _;
use gateway::Config;
use person::{Person, Socket};
use proto::{
    Place, Reply, UserCommand, UserId, UserView,
    bus::{Bus, Delivery},
    lease, streams,
};
use serde::Serialize;
use servers::{Nats, NatsOptions, free_port};
use tokio::{
    sync::watch,
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(3);

/// What a test begins with.
pub(crate) struct Scene {
    pub(crate) nats: Nats,
    pub(crate) matcher: Matcher,
    pub(crate) gateway: String,
}

/// Somebody with a connection that the matcher knows.
pub(crate) struct Guest {
    pub(crate) user: UserId,
    pub(crate) socket: Socket,
    pub(crate) epoch: u64,
}

impl Scene {
    /// Everything runs, and nobody is there.
    pub(crate) async fn open(options: &[&str]) -> Self {
        let nats = Nats::start(NatsOptions::default()).await.expect("a nats-server");
        let matcher = Matcher::start(&nats).await;
        let gateway = start(&nats, options).await;
        Self { nats, matcher, gateway }
    }

    /// A current client connects, and is at this place.
    pub(crate) async fn guest(&mut self, place: Place) -> Guest {
        let person = Person::arrive(&self.gateway).await.expect("a person");
        let (socket, epoch) = tokio::join!(person.connect(&self.gateway), self.matcher.connect(None, place));
        Guest { user: person.user.parse().expect("an id"), socket: socket.expect("a connection"), epoch }
    }
}

/// A gateway in this process; its address.
async fn start(nats: &Nats, options: &[&str]) -> String {
    let address = format!("127.0.0.1:{}", free_port().expect("a port"));
    let (nats, lease, addr) =
        (format!("--nats-url={}", nats.url()), format!("--lease={}s", LEASE.as_secs()), format!("--addr={address}"));
    let key = "--secret-key=of this test, longer than 32 letters";
    let given = ["gateway", &nats, &lease, &addr, key, "--health-addr=127.0.0.1:0"];
    let config = Config::parse_from(given.iter().chain(options));
    let running = tokio::spawn(gateway::run(config, CancellationToken::new()));
    let (gateway, mut ticks) = (format!("http://{address}"), interval(Duration::from_millis(20)));
    let answers = async {
        while Person::arrive(&gateway).await.is_err() {
            ticks.tick().await;
        }
    };
    tokio::select! {
        ended = running => panic!("the gateway has ended: {ended:?}"),
        answers = timeout(PATIENCE, answers) => answers.expect("a gateway"),
    }
    gateway
}

/// Plays the matcher.
pub(crate) struct Matcher {
    pub(crate) bus: Bus,
    commands: pull::Stream,
}

impl Matcher {
    /// Makes the streams, and takes the commands.
    pub(crate) async fn start(nats: &Nats) -> Self {
        let bus = Bus::new(async_nats::connect(nats.url()).await.expect("a connection"));
        streams::declare(&bus.js, 1).await.expect("streams");
        let consumer = streams::matcher_consumer(&bus.js).await.expect("a consumer");
        Self { commands: consumer.messages().await.expect("pulling"), bus }
    }

    /// The next command.
    pub(crate) async fn next(&mut self) -> Delivery<UserCommand> {
        let raw = timeout(PATIENCE, self.commands.next()).await.expect("a command in time").expect("a command");
        let command = Delivery::decode(raw.expect("a delivery")).map_err(|(_, why)| why).expect("a command");
        command.raw.ack().await.expect("acknowledged");
        command
    }

    /// Takes the connection that somebody asserts; its number.
    pub(crate) async fn connect(&mut self, reassert: Option<u64>, place: Place) -> u64 {
        let asked = self.next().await;
        let UserCommand::Connected { user, reassert: said, .. } = asked.command else { panic!("{:?}", asked.command) };
        assert_eq!(said, reassert);
        let view = UserView { user, epoch: asked.sequence, seen: 0, place };
        asked.reply(&self.bus, &Reply::Ok(view)).await.expect("answered");
        asked.sequence
    }

    /// Answers every question on a subject with what it is told last.
    pub(crate) async fn tell<T>(&self, subject: async_nats::Subject, answer: T) -> watch::Sender<T>
    where
        T: Clone + Serialize + Send + Sync + 'static,
    {
        let (bus, mut questions) = (self.bus.clone(), self.bus.client.subscribe(subject).await.expect("subscribed"));
        let (sender, answer) = watch::channel(answer);
        tokio::spawn(async move {
            while let Some(question) = questions.next().await {
                let answer = Reply::Ok(answer.borrow().clone());
                bus.publish(question.reply.expect("a question"), &answer).await.expect("answered");
            }
        });
        sender
    }

    /// Keeps the gateway's lease from it for as long as it lasts, so that it lapses.
    pub(crate) async fn let_the_lease_lapse(&self) {
        let live = lease::live_gateways(&self.bus).await.expect("leases");
        let subject = format!("$KV.{}.gateway.{}", streams::LEASES, live.first().expect("a gateway"));
        let another = PublishMessage::build().payload("another".into()).ttl(LEASE);
        self.bus.js.send_publish(subject, another).await.expect("sent").await.expect("written");
    }
}
