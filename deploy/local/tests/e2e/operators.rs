//! What operators see on the bus: the story of a room without its content, and every process.

use crate::support::{options, pair, wide_stack};
use futures_util::StreamExt as _;
use local::Stack;
use proto::{admin::QueueReport, subjects};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
/// Words that nobody but the two may see.
const TEXT: &str = "nobody-else-may-read-this";

async fn bus(stack: &Stack) -> async_nats::Client {
    async_nats::connect(stack.nats_url()).await.expect("NATS")
}

/// What is told until an event of this kind.
async fn story(events: &mut async_nats::Subscriber, last: &str) -> Vec<async_nats::Message> {
    let mut story = Vec::new();
    while story.last().is_none_or(|event: &async_nats::Message| !event.subject.contains(&format!(".{last}."))) {
        let event = timeout(PATIENCE, events.next()).await.expect("an event in time").expect("a bus");
        story.push(event);
    }
    story
}

fn payload(event: &async_nats::Message) -> Value {
    serde_json::from_slice(&event.payload).expect("JSON")
}

fn kinds(story: &[async_nats::Message]) -> Vec<String> {
    let kind = |event: &async_nats::Message| event.subject.split('.').nth(2).expect("a kind").to_owned();
    story.iter().map(kind).collect()
}

#[tokio::test]
async fn a_room_tells_its_whole_story_in_order_and_nothing_of_what_was_said() {
    let stack = wide_stack().await;
    let bus = bus(&stack).await;
    let mut events = bus.subscribe(subjects::ROOM_EVENTS).await.expect("subscribed");
    // An answer that comes over the same connection: the subscription is there.
    bus.request(subjects::READ_WAITING, "".into()).await.expect("an answer");

    let (vent, listen) = pair(&stack.gateway_urls()[0], &stack.gateway_urls()[1]).await;
    let sent = vent.socket.send(TEXT).await.expect("kept");
    listen.socket.wait_for("send_message_to_client").await.expect("the message");
    let liked = json!({"message_id": sent["_id"]});
    listen.socket.request_data("like_message", liked).await.expect("liked");
    vent.socket.disconnect().await.expect("gone");
    listen.socket.wait_for("user_disconnected").await.expect("heard of it");
    let back = vent.person.connect(&stack.gateway_urls()[1]).await.expect("back");
    listen.socket.wait_for("user_connected").await.expect("heard of it");
    back.request_data("leave_room", json!({})).await.expect("left");

    let story = story(&mut events, "erased").await;
    let expected =
        ["created", "entered", "entered", "stored", "liked", "disconnected", "reconnected", "left", "ended", "erased"];
    assert_eq!(kinds(&story), expected, "{}", stack.recent_logs());
    let room = sent["room_id"].as_str().expect("a room");
    let secrets =
        [vent.person.secret.as_str(), listen.person.secret.as_str(), TEXT, sent["nonce"].as_str().expect("a nonce")];
    for event in &story {
        let (subject, text) = (event.subject.as_str(), std::str::from_utf8(&event.payload).expect("text"));
        assert!(subject.ends_with(room) && payload(event)["room"] == room, "another room: {subject}");
        assert!(!secrets.iter().any(|secret| subject.contains(secret) || text.contains(secret)), "{subject}: {text}");
    }
    let stored = payload(&story[3]);
    assert_eq!((&stored["message"], &stored["seq"]), (&sent["_id"], &json!(1)));
    assert_eq!(stored["bytes"], TEXT.len());
    let ended = payload(&story[8]);
    assert_eq!((&ended["reason"], &ended["started"]), (&json!("left"), &json!(true)));
    stack.stop().await.expect("a clean end");
}

/// What so many processes answer to a question to all services.
async fn everybody(bus: &async_nats::Client, question: &str, count: usize) -> Vec<Value> {
    let inbox = bus.new_inbox();
    let mut answers = bus.subscribe(inbox.clone()).await.expect("subscribed");
    bus.publish_with_reply(question.to_owned(), inbox, "".into()).await.expect("asked");
    let mut all = Vec::new();
    while all.len() < count {
        let answer = timeout(PATIENCE, answers.next()).await;
        all.push(payload(&answer.unwrap_or_else(|_| panic!("only {} of {count}", all.len())).expect("a bus")));
    }
    all
}

async fn nobody_answers(bus: &async_nats::Client, subject: String) {
    let error = bus.request(subject.clone(), "".into()).await.expect_err(&subject).kind();
    assert_eq!(error, async_nats::client::RequestErrorKind::NoResponders, "{subject}");
}

fn ids(answers: &[Value], name: &str) -> Vec<String> {
    let of_name = answers.iter().filter(|answer| answer["name"] == name);
    let mut ids: Vec<_> = of_name.map(|answer| answer["metadata"]["id"].as_str().expect("an id").to_owned()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn every_process_is_discoverable_until_it_has_drained() {
    let stack = wide_stack().await;
    let bus = bus(&stack).await;
    let pings = everybody(&bus, "$SRV.PING", 7).await;
    for (name, count) in [("gateway", 2), ("matcher", 2), ("chat-store", 3)] {
        let ids = ids(&pings, name);
        assert_eq!(ids.len(), count, "{pings:?}");
        assert!(ids.iter().zip(1..).all(|(id, number)| id.starts_with(&format!("{name}-{number}-"))), "{ids:?}");
    }
    let infos = everybody(&bus, "$SRV.INFO", 7).await;
    let described = |info: &Value| info["description"].as_str().is_some_and(|text| text.len() > 10);
    assert!(infos.iter().all(described), "{infos:?}");
    let endpoints = |info: &Value| info["endpoints"].as_array().expect("endpoints").len();
    assert!(infos.iter().all(|info| endpoints(info) >= 1 && info["version"] == "0.1.0"), "{infos:?}");

    let stats = everybody(&bus, "$SRV.STATS.matcher", 2).await;
    let leaders = stats.iter().filter(|stats| stats["endpoints"][0]["data"]["leader"] == true).count();
    assert_eq!(leaders, 1, "{stats:?}");

    let gateway = ids(&pings, "gateway").remove(0);
    let answer = bus.request(format!("talk.read.gateway.{gateway}"), "".into()).await.expect("an answer");
    assert_eq!(payload(&answer), json!({"gateway": gateway, "sockets": 0, "in_rooms": 0, "draining": false}));

    for drained in [&stack.gateways()[0], &stack.matchers()[0], &stack.chat_stores()[0]] {
        assert!(drained.terminate().await.success(), "{}", drained.recent_log());
    }
    for drained in ["gateway-1-", "matcher-1-", "chat-store-1-"] {
        let ping = pings.iter().find(|ping| ping["metadata"]["id"].as_str().is_some_and(|id| id.starts_with(drained)));
        let ping = ping.expect("a process");
        let (name, id) = (ping["name"].as_str().expect("a name"), ping["id"].as_str().expect("an id"));
        nobody_answers(&bus, format!("$SRV.PING.{name}.{id}")).await;
    }
    nobody_answers(&bus, format!("talk.read.gateway.{gateway}")).await;
    assert_eq!(everybody(&bus, "$SRV.PING", 4).await.len(), 4);
    stack.stop().await.expect("a clean end");
}

#[tokio::test]
async fn operators_see_how_many_wait_for_how_long_and_which_matcher_is_the_leader() {
    let stack = Stack::start(options()).await.expect("a stack");
    let bus = bus(&stack).await;
    let waits = crate::support::Talker::arrive(&stack.gateway_urls()[0]).await;
    waits.queue("vent").await;
    let asked = async || {
        let answer = bus.request(subjects::READ_WAITING, "".into()).await.expect("an answer");
        serde_json::from_slice::<QueueReport>(&answer.payload).expect("a report")
    };
    let first = asked().await;
    assert_eq!((first.vent.waiting, first.listen.waiting, first.talk.waiting), (1, 0, 0));
    let leader = first.leader.clone().expect("a leader");
    assert!(leader.starts_with("matcher-1-"), "{leader}");
    let later = asked().await;
    assert!(later.vent.oldest_ms >= first.vent.oldest_ms && later.vent.oldest_ms < 20_000, "{later:?}");

    let store = async_nats::jetstream::new(bus.clone()).get_key_value(proto::streams::LEASES).await.expect("leases");
    let lease = store.get(proto::lease::LEADER).await.expect("an answer").expect("a lease");
    assert_eq!(lease, leader.as_bytes(), "the lease names the matcher");
    stack.stop().await.expect("a clean end");
}
