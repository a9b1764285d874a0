//! A gateway in this process and on this thread, with a real NATS. The matcher is played by the test, which so can let
//! anything happen at any moment.

use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use clap::Parser as _;
use futures_util::StreamExt as _;
use gateway::Config;
use person::{Person, Socket};
use proto::{
    ConnectionStamp, Register, Reply, UserCommand, UserId, UserState, UserView,
    bus::{Bus, Delivery},
    streams, subjects,
};
use serde::Serialize;
use servers::{Nats, NatsOptions, free_port};
use tokio::{
    sync::watch,
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test calls it missing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a test begins with.
pub(crate) struct Scene {
    pub(crate) nats: Nats,
    pub(crate) matcher: Matcher,
    pub(crate) gateway: String,
}

/// A client with a connection that the matcher has.
pub(crate) struct Guest {
    pub(crate) user: UserId,
    pub(crate) socket: Socket,
    pub(crate) stamp: ConnectionStamp,
}

/// A user with an open connection.
pub(crate) fn view(user: UserId, stamp: &ConnectionStamp, state: UserState) -> UserView {
    UserView { user, connection: Some(Register::open(stamp.clone())), delivered_seq: 0, state }
}

impl Scene {
    /// Everything runs, and there is no client.
    pub(crate) async fn open(options: &[&str]) -> Self {
        let nats = Nats::start(NatsOptions::default()).await.expect("a nats-server");
        let matcher = Matcher::start(&nats).await;
        let gateway = start(&nats, options).await;
        Self { nats, matcher, gateway }
    }

    /// A current client connects, and is in this state.
    pub(crate) async fn guest(&mut self, state: UserState) -> Guest {
        let person = Person::arrive(&self.gateway).await.expect("a user");
        let (socket, stamp) = tokio::join!(person.connect(&self.gateway), self.matcher.connect(state));
        let socket = socket.expect("a connection");
        socket.wait_for("resumed").await.expect("a snapshot");
        Guest { user: person.user.parse().expect("an id"), socket, stamp }
    }
}

/// A gateway in this process; its address.
async fn start(nats: &Nats, options: &[&str]) -> String {
    let address = format!("127.0.0.1:{}", free_port().expect("a port"));
    let (nats, addr) = (format!("--nats-url={}", nats.url()), format!("--addr={address}"));
    let key = "--secret-key=of this test, longer than 32 letters";
    let given = ["gateway", &nats, &addr, key, "--health-addr=127.0.0.1:0"];
    let config = Config::parse_from(given.iter().chain(options));
    let running = tokio::spawn(gateway::run(config, CancellationToken::new()));
    let (gateway, mut ticks) = (format!("http://{address}"), interval(Duration::from_millis(20)));
    let responds = async {
        while Person::arrive(&gateway).await.is_err() {
            ticks.tick().await;
        }
    };
    tokio::select! {
        ended = running => panic!("the gateway has ended: {ended:?}"),
        responds = timeout(PATIENCE, responds) => responds.expect("a gateway"),
    }
    gateway
}

/// Plays the matcher.
pub(crate) struct Matcher {
    pub(crate) bus: Bus,
    commands: pull::Stream,
}

impl Matcher {
    /// Declares the streams, and consumes the commands.
    pub(crate) async fn start(nats: &Nats) -> Self {
        let bus = Bus::new(async_nats::connect(nats.url()).await.expect("a connection"));
        streams::declare(&bus.js, 1).await.expect("streams");
        let consumer = streams::matcher_consumer(&bus.js).await.expect("a consumer");
        Self { commands: consumer.messages().await.expect("pulling"), bus }
    }

    /// The next command.
    pub(crate) async fn next(&mut self) -> Delivery<UserCommand> {
        let next = async {
            loop {
                // A pull that NATS took with it fails once.
                if let Some(Ok(raw)) = self.commands.next().await {
                    return raw;
                }
            }
        };
        let raw = timeout(PATIENCE, next).await.expect("a command in time");
        let command = Delivery::decode(raw).map_err(|(_, why)| why).expect("a command");
        command.raw.ack().await.expect("acknowledged");
        command
    }

    /// The next command, which is a claim, and its stamp.
    pub(crate) async fn next_claim(&mut self) -> (Delivery<UserCommand>, ConnectionStamp) {
        let delivery = self.next().await;
        let UserCommand::Connected { stamp, .. } = &delivery.command else { panic!("{:?}", delivery.command) };
        let stamp = stamp.clone();
        (delivery, stamp)
    }

    /// Accepts the next claim; its stamp.
    pub(crate) async fn connect(&mut self, state: UserState) -> ConnectionStamp {
        let (claim, stamp) = self.next_claim().await;
        self.reply(&claim, view(claim.command.user(), &stamp, state)).await;
        stamp
    }

    /// Replies to a command.
    pub(crate) async fn reply(&self, to: &Delivery<UserCommand>, view: UserView) {
        to.reply(&self.bus, &Reply::Ok(view)).await.expect("replied");
    }

    /// Replies to every request on a subject with what it is given last.
    pub(crate) async fn serve<T>(&self, subject: async_nats::Subject, reply: T) -> watch::Sender<T>
    where
        T: Clone + Serialize + Send + Sync + 'static,
    {
        let (bus, mut requests) = (self.bus.clone(), self.bus.client.subscribe(subject).await.expect("subscribed"));
        let (sender, reply) = watch::channel(reply);
        tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                let reply = Reply::Ok(reply.borrow().clone());
                bus.publish(request.reply.expect("a request"), &reply).await.expect("replied");
            }
        });
        sender
    }

    /// Serves the state of a user.
    pub(crate) async fn serve_user(&self, view: UserView) -> watch::Sender<UserView> {
        self.serve(subjects::read_user(view.user), view).await
    }
}
