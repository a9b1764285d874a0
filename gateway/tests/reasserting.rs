//! A gateway whose lease had lapsed says again who is here. The matcher is played by the test, which can so let a room
//! end just then.

use std::time::Duration;

use async_nats::jetstream::{consumer::pull, message::PublishMessage};
use clap::Parser as _;
use futures_util::StreamExt as _;
use gateway::Config;
use person::Person;
use proto::{
    Live, Place, Reply, RoomId, RoomView, UserCommand, UserId, UserView,
    bus::{Bus, Delivery},
    events::{EndReason, History},
    lease, streams, subjects,
};
use serde::Serialize;
use servers::{Nats, NatsOptions, free_port};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(3);

struct Matcher {
    bus: Bus,
    commands: pull::Stream,
}

impl Matcher {
    async fn start(nats: &Nats) -> Self {
        let bus = Bus::new(async_nats::connect(nats.url()).await.expect("a connection"));
        streams::declare(&bus.js, 1).await.expect("streams");
        let consumer = streams::matcher_consumer(&bus.js).await.expect("a consumer");
        Self { commands: consumer.messages().await.expect("pulling"), bus }
    }

    async fn next(&mut self) -> Delivery<UserCommand> {
        let raw = timeout(PATIENCE, self.commands.next()).await.expect("a command in time").expect("a command");
        let command = Delivery::decode(raw.expect("a delivery")).map_err(|(_, why)| why).expect("a command");
        command.raw.ack().await.expect("acknowledged");
        command
    }

    /// Takes the connection that somebody asserts; its number.
    async fn connect(&mut self, reassert: Option<u64>, place: Place) -> u64 {
        let asked = self.next().await;
        let UserCommand::Connected { user, reassert: said, .. } = asked.command else { panic!("{:?}", asked.command) };
        assert_eq!(said, reassert);
        let view = UserView { user, epoch: asked.sequence, seen: 0, place };
        asked.reply(&self.bus, &Reply::Ok(view)).await.expect("answered");
        asked.sequence
    }

    /// Answers every question on a subject.
    async fn tell<T: Serialize + Send + Sync + 'static>(&self, subject: async_nats::Subject, answer: T) {
        let (bus, mut questions) = (self.bus.clone(), self.bus.client.subscribe(subject).await.expect("subscribed"));
        tokio::spawn(async move {
            let answer = Reply::Ok(answer);
            while let Some(question) = questions.next().await {
                bus.publish(question.reply.expect("a question"), &answer).await.expect("answered");
            }
        });
    }

    /// Keeps the gateway's lease from it for as long as it lasts, so that it lapses.
    async fn let_the_lease_lapse(&self) {
        let live = lease::live_gateways(&self.bus).await.expect("leases");
        let subject = format!("$KV.{}.gateway.{}", streams::LEASES, live.first().expect("a gateway"));
        let another = PublishMessage::build().payload("another".into()).ttl(LEASE);
        self.bus.js.send_publish(subject, another).await.expect("sent").await.expect("written");
    }
}

/// A gateway in this process; its address.
fn start(nats: &Nats, shutdown: &CancellationToken) -> String {
    let address = format!("127.0.0.1:{}", free_port().expect("a port"));
    let config = Config::parse_from([
        "gateway",
        &format!("--nats-url={}", nats.url()),
        &format!("--addr={address}"),
        "--health-addr=127.0.0.1:0",
        "--secret-key=of this test, longer than 32 letters",
        &format!("--lease={}s", LEASE.as_secs()),
    ]);
    tokio::spawn(gateway::run(config, shutdown.clone()));
    format!("http://{address}")
}

async fn arrive(gateway: &str) -> Person {
    let mut ticks = interval(Duration::from_millis(20));
    let arriving = async {
        loop {
            ticks.tick().await;
            if let Ok(person) = Person::arrive(gateway).await {
                return person;
            }
        }
    };
    timeout(PATIENCE, arriving).await.expect("a gateway")
}

// One thread, as a gateway has.
#[tokio::test]
async fn who_writes_while_the_matcher_does_not_answer_is_refused_in_time() {
    let nats = Nats::start(NatsOptions::default()).await.expect("a nats-server");
    let mut matcher = Matcher::start(&nats).await;
    let gateway = start(&nats, &CancellationToken::new());
    let person = arrive(&gateway).await;
    let user: UserId = person.user.parse().expect("an id");
    let (socket, epoch) = tokio::join!(person.connect(&gateway), matcher.connect(None, Place::Idle));
    let socket = socket.expect("a connection");

    matcher.tell(subjects::read_user(user), UserView { user, epoch: 0, seen: 0, place: Place::Idle }).await;
    matcher.let_the_lease_lapse().await;
    let asserted = matcher.next().await.command;
    assert!(matches!(asserted, UserCommand::Connected { reassert: Some(old), .. } if old == epoch), "{asserted:?}");
    for _ in 0..2 {
        let refused = timeout(Duration::from_secs(8), socket.send("is anybody there?")).await;
        let refused = refused.expect("told in time").expect_err("nobody keeps it").to_string();
        assert!(refused.contains("unavailable"), "{refused}");
    }
}

#[tokio::test]
async fn an_end_that_is_told_again_does_not_hide_a_newer_connection() {
    let nats = Nats::start(NatsOptions::default()).await.expect("a nats-server");
    let mut matcher = Matcher::start(&nats).await;
    let gateway = start(&nats, &CancellationToken::new());
    let person = arrive(&gateway).await;
    let user: UserId = person.user.parse().expect("an id");
    let (socket, epoch) = tokio::join!(person.connect(&gateway), matcher.connect(None, Place::Idle));
    let socket = socket.expect("a connection");
    matcher.tell(subjects::read_user(user), UserView { user, epoch, seen: 0, place: Place::Idle }).await;

    // They came back after the end of their room, of which they are told now.
    let room =
        RoomView { room: RoomId::new(), partner: UserId::new(), joined: false, begun: false, partner_connected: true };
    matcher.bus.tell(Some(room.room), user, &Live::Matched(room.clone())).await.expect("told");
    let entered = matcher.next().await;
    assert!(matches!(entered.command, UserCommand::Joined { .. }), "{:?}", entered.command);
    let idle = UserView { user, epoch, seen: 0, place: Place::Idle };
    entered.reply(&matcher.bus, &Reply::Ok(idle)).await.expect("answered");
    matcher.bus.tell(Some(room.room), user, &Live::Ended { reason: EndReason::Left }).await.expect("told");
    socket.wait_for("room_ended").await.expect("told of it");
    drop(socket);
    let told = matcher.next().await.command;
    assert!(
        matches!(told, UserCommand::Disconnected { user: who, epoch: gone, .. } if (who, gone) == (user, epoch)),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_connection_that_was_asserted_again_is_told_of_when_it_goes_also_when_its_room_is_over() {
    let nats = Nats::start(NatsOptions::default()).await.expect("a nats-server");
    let mut matcher = Matcher::start(&nats).await;
    let gateway = start(&nats, &CancellationToken::new());
    let person = arrive(&gateway).await;
    let user: UserId = person.user.parse().expect("an id");
    let room =
        RoomView { room: RoomId::new(), partner: UserId::new(), joined: true, begun: true, partner_connected: true };
    matcher.tell(subjects::read_history(room.room), History { messages: Vec::new() }).await;

    let place = Place::Room(room);
    let (socket, epoch) = tokio::join!(person.connect(&gateway), matcher.connect(None, place));
    let socket = socket.expect("a connection");
    assert_eq!(socket.wait_for("resumed").await.expect("a snapshot")["state"], "room");

    // The matcher takes the people of this gateway for gone; the room ends while one is asserted again.
    matcher.tell(subjects::read_user(user), UserView { user, epoch: 0, seen: 0, place: Place::Idle }).await;
    matcher.let_the_lease_lapse().await;
    let again = matcher.connect(Some(epoch), Place::Idle).await;
    socket.wait_for("room_ended").await.expect("told of it");
    drop(socket);

    let told = matcher.next().await.command;
    assert!(
        matches!(told, UserCommand::Disconnected { user: who, epoch, .. } if (who, epoch) == (user, again)),
        "{told:?}"
    );
}
