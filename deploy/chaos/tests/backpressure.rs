//! MongoDB or NATS is down for 30 s while users send on: they are refused in 5 s, readiness is red, memory stays bounded,
//! and everything recovers by itself within 10 s of the return.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use futures_util::future::join_all;
use local::{Database, Service, Stack, StackOptions};
use person::{Person, Socket};
use serde_json::json;
use servers::process::{Signal, resident_kb};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep_until, timeout},
};

/// How long the outage lasts, and how long users send in it: the last messages have to be refused before it ends.
const OUTAGE: Duration = Duration::from_secs(30);
const WRITING: Duration = Duration::from_secs(23);
/// The gateway refuses after 5 s; the machine is busy.
const REFUSED: Duration = Duration::from_secs(7);
const RECOVERED: Duration = Duration::from_secs(10);
/// Rooms whose two members send ten texts a second each: in `WRITING` 30 MB.
const ROOMS: usize = 4;
const PAUSE: Duration = Duration::from_millis(100);
const LENGTH: usize = 16_000;
/// When the messages of the 5 s until they are refused have their full size, in kB at most. In the second half of the
/// outage a process may grow by less than half of what is sent in it.
const FULL: Duration = Duration::from_secs(12);
const BOUND: u64 = 40_000;
const STEADY: u64 = 6_000;

struct Crowd {
    stack: Stack,
    people: Vec<(Person, Socket)>,
}

impl Crowd {
    async fn gather() -> Self {
        let options = StackOptions { mongodb: Database::Own, ..StackOptions::new(env!("CARGO_BIN_EXE_chaos")) };
        let stack = Stack::start(options).await.expect("a stack");
        let (gateway, mut people) = (&stack.gateway_urls()[0], Vec::new());
        for _ in 0..ROOMS {
            people.extend(person::pair(gateway, gateway).await.expect("two in a room"));
        }
        let crowd = Self { stack, people };
        // What a process takes when it is busy is no growth.
        crowd.write(Instant::now() + Duration::from_secs(2), 201).await;
        crowd
    }

    /// All users send by POST, whatever the replies are; each has to come in time.
    async fn write(&self, until: Instant, status: u16) {
        join_all(self.people.iter().map(|(person, _)| self.writes(person, until, status))).await;
    }

    async fn writes(&self, person: &Person, until: Instant, status: u16) {
        let (mut replies, mut ticks) = (JoinSet::new(), interval(PAUSE));
        while Instant::now() < until {
            ticks.tick().await;
            let (person, gateway) = (person.clone(), self.stack.gateway_urls()[0].clone());
            let message = json!({"message": "x".repeat(LENGTH), "nonce": person::nonce()});
            replies.spawn(async move { timeout(REFUSED, person.post(&gateway, "/messages", message)).await });
        }
        while let Some(reply) = replies.join_next().await {
            let (got, reply) = reply.expect("no panic").expect("in time").expect("a reply");
            assert_eq!(got.as_u16(), status, "{reply}");
        }
    }

    /// Sends over the socket, one message after the other.
    async fn is_refused_by_socket(&self, until: Instant) {
        let mut ticks = interval(Duration::from_secs(1));
        while Instant::now() < until {
            ticks.tick().await;
            let message = json!({"content": "x", "nonce": "bysocket"});
            let reply = timeout(REFUSED, self.people[0].1.request("send_message", message)).await;
            let reply = reply.expect("in time").expect("a reply");
            assert_eq!((&reply["success"], &reply["code"]), (&json!(false), &json!("unavailable")));
        }
    }

    /// The services that need what is down.
    async fn turn_red(&self, needing: impl Fn(&Service) -> bool) {
        for service in self.stack.services().filter(|service| needing(service)) {
            eventually(REFUSED, async || !service.is_ready().await, service.name()).await;
        }
    }

    /// The most memory that each service takes, in kB: until `FULL`, and later. Until this is dropped.
    async fn watch(&self, most: &mut [BTreeMap<String, u64>; 2]) -> Infallible {
        let (started, mut ticks) = (Instant::now(), interval(Duration::from_millis(500)));
        loop {
            ticks.tick().await;
            let most = &mut most[usize::from(started.elapsed() > FULL)];
            for service in self.stack.services() {
                let now = resident(service);
                let known = most.entry(service.name().to_owned()).or_default();
                *known = now.max(*known);
            }
        }
    }

    /// A server is down for as long as this takes; nothing of it breaks a promise.
    async fn suffers(&self, needing: impl Fn(&Service) -> bool) {
        let left = Instant::now();
        let before: BTreeMap<_, _> = self.stack.services().map(|s| (s.name().to_owned(), resident(s))).collect();
        let mut most = [BTreeMap::new(), BTreeMap::new()];
        let suffering = async {
            let until = left + WRITING;
            tokio::join!(self.write(until, 503), self.is_refused_by_socket(until), self.turn_red(needing));
            sleep_until(left + OUTAGE).await;
        };
        tokio::select! {
            () = suffering => {}
            never = self.watch(&mut most) => match never {},
        }
        let [full, later] = most;
        for (name, before) in before {
            let (full, later) = (full[&name], later[&name]);
            eprintln!("{name}: {before} kB before, {full} kB full, {later} kB later");
            assert!(full < before + BOUND && later < full + STEADY, "{name}: {before}, {full}, {later} kB");
        }
    }

    /// The conversation continues where it was: what was refused is sent again, and is stored once.
    async fn recovers(self) {
        let returned = Instant::now();
        let [(_, author), (_, partner), ..] = self.people.as_slice() else { panic!("two people") };
        loop {
            let reply = author.request("send_message", json!({"content": "x", "nonce": "bysocket"})).await;
            let reply = reply.expect("a reply");
            if reply["success"] == true {
                break;
            }
            assert!(returned.elapsed() < RECOVERED, "{reply}");
        }
        for service in self.stack.services() {
            let left = RECOVERED.saturating_sub(returned.elapsed());
            eventually(left, async || service.is_ready().await, service.name()).await;
        }
        while partner.wait_for("send_message_to_client").await.expect("the message")["nonce"] != "bysocket" {}
        self.stack.stop().await.expect("a clean stop");
    }
}

async fn eventually(limit: Duration, look: impl AsyncFn() -> bool, what: &str) {
    let (started, mut ticks) = (Instant::now(), interval(Duration::from_millis(100)));
    while !look().await {
        assert!(started.elapsed() < limit, "{what}: not after {limit:?}");
        ticks.tick().await;
    }
}

fn resident(service: &Service) -> u64 {
    service.pid().and_then(resident_kb).expect("it runs")
}

fn needs_mongodb(service: &Service) -> bool {
    service.kind() != local::Kind::Gateway
}

#[tokio::test]
async fn mongodb_hangs_for_a_while() {
    let crowd = Crowd::gather().await;
    let mongo = crowd.stack.mongo()[0].clone();
    mongo.signal(Signal::SIGSTOP);
    crowd.suffers(needs_mongodb).await;
    mongo.signal(Signal::SIGCONT);
    crowd.recovers().await;
}

#[tokio::test]
async fn mongodb_is_gone_for_a_while() {
    let crowd = Crowd::gather().await;
    let mongo = crowd.stack.mongo()[0].clone();
    mongo.signal(Signal::SIGKILL);
    crowd.suffers(needs_mongodb).await;
    mongo.restart().await.expect("it starts again");
    crowd.recovers().await;
}

#[tokio::test]
async fn nats_hangs_for_a_while() {
    let crowd = Crowd::gather().await;
    let nats = crowd.stack.nats()[0].clone();
    nats.signal(Signal::SIGSTOP);
    crowd.suffers(|_all| true).await;
    nats.signal(Signal::SIGCONT);
    crowd.recovers().await;
}

#[tokio::test]
async fn nats_is_gone_for_a_while() {
    let crowd = Crowd::gather().await;
    let nats = crowd.stack.nats()[0].clone();
    nats.signal(Signal::SIGKILL);
    crowd.suffers(|_all| true).await;
    nats.restart().await.expect("it starts again");
    crowd.recovers().await;
}
