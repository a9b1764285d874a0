//! MongoDB or NATS is away for a while: whoever asks is told so in 5 s, readiness is red, memory stays bounded, and
//! all recovers by itself within 10 s of the return.

use std::{sync::Arc, time::Duration};

use local::{Database, Service, Stack, StackOptions};
use person::{Person, Socket};
use serde_json::{Value, json};
use servers::process::Signal;
use tokio::time::{Instant, sleep, timeout};

/// The gateway answers after 5 s; the machine is noisy.
const REFUSED: Duration = Duration::from_secs(7);
const RECOVERED: Duration = Duration::from_secs(10);
const AWAY: Duration = Duration::from_secs(15);
/// Texts that are sent while nothing can be kept: 64 MB of JSON at least, were they piled up in one process.
const FLOOD: usize = 40;
/// What a process may grow by meanwhile, in kB.
const BOUND: u64 = 40_000;

struct Pair {
    stack: Stack,
    vent: (Person, Socket),
    listen: (Person, Socket),
}

async fn talker(gateway: &str, queue: &str) -> (Person, Socket) {
    let person = Person::arrive(gateway).await.expect("a new user");
    let socket = person.connect(gateway).await.expect("a connection");
    socket.get("request_queue", json!({"queue": queue})).await.expect("queued");
    (person, socket)
}

async fn pair() -> Pair {
    let options = StackOptions { mongodb: Database::Own, ..StackOptions::new(env!("CARGO_BIN_EXE_chaos")) };
    let stack = Stack::start(options).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let (vent, listen) = (talker(gateway, "vent").await, talker(gateway, "listen").await);
    for (_, socket) in [&vent, &listen] {
        socket.wait_for("user_connected").await.expect("a partner");
    }
    vent.1.send("before").await.expect("kept");
    Pair { stack, vent, listen }
}

impl Pair {
    /// Asks by socket and by POST while something is away.
    async fn is_refused_in_time(&self) {
        let gateway = &self.stack.gateway_urls()[0];
        let text = "x".repeat(16_000);
        let by_socket = async {
            let message = json!({"content": text, "nonce": "bysocket"});
            timeout(REFUSED, self.vent.1.ask("send_message", message)).await.expect("in time").expect("an answer")
        };
        let by_post = (0..FLOOD).map(|n| {
            let message = json!({"message": text, "nonce": format!("bypost{n}")});
            async move {
                let answer = timeout(REFUSED, self.vent.0.post(gateway, "/messages", message)).await;
                answer.expect("in time").expect("an answer")
            }
        });
        let (by_socket, by_post) = tokio::join!(by_socket, futures_util::future::join_all(by_post));
        assert_eq!((&by_socket["success"], &by_socket["code"]), (&json!(false), &json!("unavailable")));
        for (status, answer) in by_post {
            assert_eq!((status.as_u16(), &answer["success"]), (503, &json!(false)), "{answer}");
        }
    }

    /// The conversation goes on where it was: what was refused is sent again, and is there once.
    async fn recovers(&self) {
        let returned = Instant::now();
        let kept = loop {
            let message = json!({"content": "x", "nonce": "bysocket"});
            let answer = self.vent.1.ask("send_message", message).await.expect("an answer");
            if answer["success"] == true {
                break answer;
            }
            assert!(returned.elapsed() < RECOVERED, "{answer}");
        };
        for service in self.stack.services() {
            eventually(RECOVERED, async || service.is_ready().await, service.name()).await;
        }
        let nonce: Value = kept["data"]["nonce"].clone();
        while self.listen.1.wait_for("send_message_to_client").await.expect("the message")["nonce"] != nonce {}
    }
}

async fn eventually(limit: Duration, look: impl AsyncFn() -> bool, what: &str) {
    let started = Instant::now();
    while !look().await {
        assert!(started.elapsed() < limit, "{what}: not after {limit:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn turns_red(services: &[Arc<Service>]) {
    for service in services {
        eventually(REFUSED, async || !service.is_ready().await, service.name()).await;
    }
}

/// The resident memory of each service, in kB.
fn memory(stack: &Stack) -> Vec<(String, u64)> {
    let resident = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory").to_owned();
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    stack.services().map(|service| (service.name().to_owned(), resident(service.pid().expect("it runs")))).collect()
}

fn is_bounded(before: &[(String, u64)], after: &[(String, u64)]) {
    for ((name, before), (_, after)) in before.iter().zip(after) {
        assert!(*after < before + BOUND, "{name} grew from {before} to {after} kB");
    }
}

#[tokio::test]
async fn mongodb_is_away_for_a_while() {
    for (away, back) in [(Signal::SIGSTOP, Some(Signal::SIGCONT)), (Signal::SIGKILL, None)] {
        let pair = pair().await;
        let before = memory(&pair.stack);
        let mongo = pair.stack.mongo()[0].clone();
        mongo.signal(away);
        let left = Instant::now();
        turns_red(pair.stack.chat_stores()).await;
        turns_red(pair.stack.matchers()).await;
        pair.is_refused_in_time().await;
        is_bounded(&before, &memory(&pair.stack));
        sleep(AWAY.saturating_sub(left.elapsed())).await;
        match back {
            Some(signal) => mongo.signal(signal),
            None => mongo.restart().await.expect("it starts again"),
        }
        pair.recovers().await;
        pair.stack.stop().await.expect("a clean stop");
    }
}

#[tokio::test]
async fn nats_is_away_for_a_while() {
    for (away, back) in [(Signal::SIGSTOP, Some(Signal::SIGCONT)), (Signal::SIGKILL, None)] {
        let pair = pair().await;
        let before = memory(&pair.stack);
        let nats = pair.stack.nats()[0].clone();
        nats.signal(away);
        let left = Instant::now();
        pair.is_refused_in_time().await;
        for service in pair.stack.services() {
            eventually(REFUSED, async || !service.is_ready().await, service.name()).await;
        }
        is_bounded(&before, &memory(&pair.stack));
        sleep(AWAY.saturating_sub(left.elapsed())).await;
        match back {
            Some(signal) => nats.signal(signal),
            None => nats.restart().await.expect("it starts again"),
        }
        pair.recovers().await;
        pair.stack.stop().await.expect("a clean stop");
    }
}
