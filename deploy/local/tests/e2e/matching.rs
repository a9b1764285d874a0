//! Who meets whom, and who does not wait for ever.

use crate::support::{Talker, eventually, options, pair};
use mongodb::bson::{Bson, Document, doc};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_waiting_partner_is_met_at_once() {
    // The tick alone would take a minute: only the wake-up can match them in time.
    let slow = vec![("MATCH_INTERVAL".to_owned(), "60s".to_owned())];
    let stack =
        local::Stack::start(local::StackOptions { matchers: 2, env: slow, ..options() }).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    pair(gateway, gateway).await;
}

#[tokio::test]
async fn whoever_waits_too_long_is_moved_to_talk_and_told() {
    let fast = vec![("FALLBACK_AFTER".to_owned(), "1s".to_owned()), ("MATCH_INTERVAL".to_owned(), "500ms".to_owned())];
    let stack = local::Stack::start(local::StackOptions { env: fast, ..options() }).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let (one, other) = (Talker::arrive(gateway).await, Talker::arrive(gateway).await);
    one.queue("vent").await;
    assert_eq!(one.socket.wait_for("queue_status").await.expect("a status")["waiting"]["vent"], 1);
    other.queue("vent").await;
    for talker in [&one, &other] {
        let changed = talker.socket.wait_for("queue_changed").await.expect("told");
        assert_eq!(changed, json!({"from": "vent", "to": "talk"}));
        talker.matched().await;
    }
}

#[tokio::test]
async fn everybody_who_fits_is_matched_with_somebody_else() {
    let stack =
        local::Stack::start(local::StackOptions { gateways: 2, matchers: 2, ..options() }).await.expect("a stack");
    let urls = stack.gateway_urls();
    let people = (0..24).map(|n| Talker::arrive(&urls[n % 2]));
    let people = futures_util::future::join_all(people).await;
    let queues = ["vent", "listen", "talk", "talk"];
    futures_util::future::join_all(people.iter().enumerate().map(|(n, talker)| talker.queue(queues[n % 4]))).await;
    futures_util::future::join_all(people.iter().map(Talker::matched)).await;
    // Each says its own number; nobody hears it but the one partner, whose number comes back.
    for (n, talker) in people.iter().enumerate() {
        talker.socket.send(&n.to_string()).await.expect("kept");
    }
    let mut partners = Vec::new();
    for talker in &people {
        let heard = talker.socket.wait_for("send_message_to_client").await.expect("the partner");
        partners.push(heard["content"].as_str().expect("a number").parse::<usize>().expect("a number"));
    }
    for (n, partner) in partners.iter().enumerate() {
        assert_eq!(partners[*partner], n, "{n} and {partner} are partners of each other");
        let fits = match queues[n % 4] {
            "vent" => "listen",
            "listen" => "vent",
            queue => queue,
        };
        assert_eq!(queues[partner % 4], fits, "{n} and {partner} came for what fits");
    }
}

#[tokio::test]
async fn a_killed_matcher_is_replaced() {
    let stack = local::Stack::start(local::StackOptions { matchers: 2, ..options() }).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    pair(gateway, gateway).await;
    for matcher in stack.matchers() {
        matcher.kill().await;
        pair(gateway, gateway).await;
        matcher.start().expect("started again");
        matcher.ready().await.expect("ready");
    }
}

#[tokio::test]
async fn somebody_who_is_gone_is_not_offered() {
    let stack = local::Stack::start(local::StackOptions { gateways: 2, ..options() }).await.expect("a stack");
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let gone = Talker::arrive(first).await;
    gone.queue("vent").await;
    let watching = Talker::arrive(second).await;
    watching.queue("vent").await;
    // The one who came first would be matched first, were it not gone.
    drop(gone.socket);
    let waiting = |count: u64| move |status: &serde_json::Value| status["waiting"]["vent"] == count;
    eventually(
        Duration::from_secs(10),
        async || watching.socket.wait_for("queue_status").await.expect("a status"),
        waiting(1),
    )
    .await;
    let listen = Talker::arrive(second).await;
    listen.queue("listen").await;
    watching.matched().await;
    listen.matched().await;
}

#[tokio::test]
async fn people_of_a_killed_gateway_are_not_offered_for_long() {
    // Nobody leaves vent but who is gone.
    let patient = vec![("FALLBACK_AFTER".to_owned(), "60s".to_owned())];
    let stack =
        local::Stack::start(local::StackOptions { gateways: 2, env: patient, ..options() }).await.expect("a stack");
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let gone = Talker::arrive(first).await;
    gone.queue("vent").await;
    let watching = Talker::arrive(second).await;
    watching.queue("vent").await;
    let waiting = |count: u64| move |status: &serde_json::Value| status["waiting"]["vent"] == count;
    let status = async || watching.socket.wait_for("queue_status").await.expect("a status");
    eventually(Duration::from_secs(10), status, waiting(2)).await;
    // Started again at once: under the same name it is still another process.
    stack.gateways()[0].kill().await;
    stack.gateways()[0].start().expect("started again");
    eventually(Duration::from_secs(18), status, waiting(1)).await;
}

#[tokio::test]
async fn the_place_is_kept_when_the_partner_vanishes_before_it_began() {
    let stack = local::Stack::start(options()).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let first = Talker::arrive(gateway).await;
    first.queue("vent").await;
    let second = Talker::arrive(gateway).await;
    second.queue("vent").await;
    // An old client, which hears of the match but goes before it enters the room.
    let vanishing = person::Person::arrive(gateway).await.expect("a new user");
    let socket = vanishing.connect_and_hello(gateway).await.expect("a connection");
    vanishing.post(gateway, "/queue", json!({"queueType": "listen"})).await.expect("queued");
    socket.wait_for("queue_complete").await.expect("a match");
    first.socket.wait_for("queue_complete").await.expect("a match");
    drop(socket);
    assert_eq!(first.socket.wait_for("queue_returned").await.expect("back")["queue"], "vent");
    let listen = Talker::arrive(gateway).await;
    listen.queue("listen").await;
    first.matched().await;
    // Whatever the second one was told before this answer has arrived before it.
    let answer = second.socket.request("typing", json!({"typing": true})).await.expect("an answer");
    assert_eq!(answer["code"], "not_in_room");
    while let Some(event) = second.socket.next_within(Duration::ZERO).await.expect("connected") {
        assert_ne!(event.name, "queue_complete");
    }
}

#[tokio::test]
async fn whoever_goes_while_they_come_leaves_no_ghost() {
    let stack = local::Stack::start(local::StackOptions { matchers: 2, ..options() }).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let hasty = (0..40).map(|_| async {
        let person = person::Person::arrive_in_talk(gateway).await.expect("a new user");
        drop(person.connect(gateway).await.expect("a connection"));
    });
    futures_util::future::join_all(hasty).await;
    let talker = Talker::arrive(gateway).await;
    let database =
        mongodb::Client::with_uri_str(stack.mongodb_uri()).await.expect("MongoDB").database(stack.database());
    let users = database.collection::<Document>("users");
    // Ghosts would be paired with one another: who waits says nothing of them.
    let connected =
        async || users.distinct("_id", doc! {"connection.state": "open"}).await.expect("the connected users");
    let talker = Bson::from(&talker.person.user);
    eventually(Duration::from_secs(5), connected, |ids| *ids == [talker.clone()]).await;
}
