//! The same system with the users and rights of production: all of it works, and nothing that it does is refused.

use crate::{
    conversation::whole_conversation,
    support::{Lines, Talker, options, pair, said, sink, texts},
};
use async_nats::Client;
use futures_util::StreamExt as _;
use local::{Database, Stack, StackOptions};
use person::Person;
use proto::{lease, streams};
use serde_json::json;
use std::time::Duration;

/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

async fn secured_stack(lines: &Lines) -> Stack {
    let (secured, mongodb) = (true, Database::Own);
    let many = StackOptions { gateways: 2, matchers: 2, chat_stores: 2, ..options() };
    Stack::start(StackOptions { secured, mongodb, sink: sink(lines), ..many }).await.expect("a stack")
}

async fn operator(stack: &Stack) -> Client {
    stack.operators_nats_options().connect(stack.nats_url()).await.expect("the operator's connection")
}

/// What NATS or MongoDB refused to a service is in its log.
async fn nothing_was_refused(stack: Stack, lines: &Lines) {
    stack.stop().await.expect("a clean stop");
    let logs = lines.lock().expect("free").join("\n").to_lowercase();
    assert!(!logs.is_empty(), "nothing was heard");
    for refusal in ["violation", "not authorized", "unauthorized", "requires authentication"] {
        assert!(!logs.contains(refusal), "{logs}");
    }
}

/// Two people talk, on gateways that live.
async fn all_goes_on(first: &str, second: &str) -> (Talker, Talker) {
    let (vent, listen) = pair(first, second).await;
    let stored = vent.socket.send("hello").await.expect("kept");
    assert_eq!(texts(&listen.socket, 1).await, [said(&stored)]);
    (vent, listen)
}

#[tokio::test]
async fn a_secured_stack_does_all_its_work_and_survives_the_death_of_each_service() {
    let lines = Lines::default();
    let stack = secured_stack(&lines).await;
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    whole_conversation(&stack).await;

    // Both matchers and both chat-stores in turn, so that whoever was active dies and whoever is left takes over.
    for service in stack.matchers().iter().chain(stack.chat_stores()) {
        service.kill().await;
        all_goes_on(first, second).await;
        service.start().expect("started again");
        service.ready().await.expect("ready");
    }
    // Handed over, not killed: leases are given back, and partitions unpinned.
    for service in [&stack.matchers()[0], &stack.chat_stores()[0]] {
        assert!(service.terminate().await.success());
        all_goes_on(first, second).await;
    }
    let (vent, listen) = all_goes_on(first, second).await;
    stack.gateways()[0].kill().await;
    listen.socket.wait_for("user_disconnected").await.expect("the lease of the gateway has lapsed");
    let back = vent.person.resume(second, 1).await.expect("back on the other gateway");
    assert_eq!(back.wait_for("resumed").await.expect("a snapshot")["state"], "room");
    nothing_was_refused(stack, &lines).await;
}

#[tokio::test]
async fn an_operator_of_a_secured_stack_sees_what_goes_on() {
    let lines = Lines::default();
    let stack = secured_stack(&lines).await;
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let client = operator(&stack).await;
    let mut matches = client.subscribe("talk.match.made.*").await.expect("listening");
    let mut status = client.subscribe("talk.queue.status").await.expect("listening");
    client.flush().await.expect("sent");
    // A round trip, so that the server knows of both.
    client.request("$SYS.REQ.USER.INFO", "".into()).await.expect("an answer");
    all_goes_on(first, second).await;
    soon(matches.next()).await.expect("a match");
    let waiting = Person::arrive(first).await.expect("a new user").connect(first).await.expect("a connection");
    waiting.request_data("request_queue", json!({"queue": "talk"})).await.expect("queued");
    soon(status.next()).await.expect("how many wait");

    for service in ["matcher", "chat-store"] {
        let stats = soon(client.request(format!("$SRV.STATS.{service}"), "".into())).await.expect("an answer");
        let stats: serde_json::Value = serde_json::from_slice(&stats.payload).expect("JSON");
        assert_eq!(stats["name"], service);
    }
    let bus = proto::bus::Bus::new(client);
    assert_eq!(lease::live_gateways(&bus).await.expect("leases").len(), 2);
    let leases = bus.js.get_key_value(streams::LEASES).await.expect("the bucket");
    assert!(leases.get(lease::LEADER).await.expect("an answer").is_some(), "a leader");
    let mut stream = bus.js.get_stream(streams::MESSAGES).await.expect("the stream");
    assert!(stream.info().await.expect("its state").state.consumer_count > 0);
    assert!(stream.get_consumer::<async_nats::jetstream::consumer::pull::Config>("chat-store-0").await.is_ok());
    nothing_was_refused(stack, &lines).await;
}

#[tokio::test]
async fn a_service_with_a_wrong_password_does_not_start() {
    let env = [("NATS_PASSWORD", "wrong"), ("CONNECT_TIMEOUT", "2s")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let wrong = StackOptions { secured: true, mongodb: Database::Own, env: env.to_vec(), ..options() };
    let refused = Stack::start(wrong).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(refused.contains("NATS_PASSWORD"), "{refused}");
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("in time")
}
