//! A conversation from two strangers' sockets to MongoDB and back, over two gateways and three
//! chat-stores.

use crate::support::{Talker, eventually, kept, options, pair, said, texts, wide_stack};
use local::Stack;
use person::Person;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn two_strangers_meet_talk_and_leave_nothing_behind() {
    whole_conversation(&wide_stack().await).await;
}

/// From a match to the end, on two gateways; nothing of anybody is left.
pub(crate) async fn whole_conversation(stack: &Stack) {
    talk_to_the_end(stack).await;
    eventually(Duration::from_secs(5), || kept(stack), Vec::is_empty).await;
}

/// From a match to the end, on two gateways.
pub(crate) async fn talk_to_the_end(stack: &Stack) {
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let (vent, listen) = pair(first, second).await;

    let stored = vent.socket.send("hello").await.expect("kept");
    let got = listen.socket.wait_for("send_message_to_client").await.expect("the message");
    assert_eq!((&got["_id"], said(&got)), (&stored["_id"], (1, "hello".to_owned())));
    assert_eq!((&got["author"], &got["incoming"]), (&json!(vent.person.user), &json!(true)));
    assert_eq!(got["message_id"], stored["nonce"]);

    listen.socket.request_data("like_message", json!({"message_id": got["_id"]})).await.expect("liked");
    let liked = json!({"message_id": got["_id"], "user_id": listen.person.user});
    assert_eq!(vent.socket.wait_for("message_liked").await.expect("the like"), liked);
    assert_eq!(listen.socket.wait_for("message_liked").await.expect("the like"), liked);

    listen.socket.request_data("typing", json!({"typing": true})).await.expect("told");
    vent.socket.wait_for("partner_starts_typing").await.expect("a notice");
    listen.socket.request_data("typing", json!({"typing": false})).await.expect("told");
    vent.socket.wait_for("partner_stops_typing").await.expect("a notice");

    listen.socket.request_data("leave_room", json!(null)).await.expect("left");
    vent.socket.wait_for("user_disconnected").await.expect("told");
    assert_eq!(vent.socket.wait_for("room_ended").await.expect("told"), json!({"reason": "left"}));
}

#[tokio::test]
async fn everybody_sees_one_order_which_is_the_history_s() {
    let stack = wide_stack().await;
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let (vent, listen) = pair(first, second).await;
    let say = async |talker: &Talker, who: &str| {
        let sending = (0..50).map(|n| {
            let text = format!("{who} {n}");
            async move { said(&talker.socket.send(&text).await.expect("kept")) }
        });
        futures_util::future::join_all(sending).await
    };
    let (mut own, mut other, heard_by_listen, heard_by_vent) =
        tokio::join!(say(&vent, "vent"), say(&listen, "listen"), texts(&listen.socket, 50), texts(&vent.socket, 50));
    assert_eq!(heard_by_listen, own, "the listener hears in the order of sending");
    assert_eq!(heard_by_vent, other, "and the other way round");

    own.append(&mut other);
    own.sort();
    let sequences: Vec<u64> = own.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(sequences, (1..=100).collect::<Vec<_>>(), "no gap, nothing twice");
    let again = vent.person.resume(second, 0).await.expect("back").wait_for("resumed").await.expect("the history");
    let history: Vec<_> = again["messages"].as_array().expect("messages").iter().map(said).collect();
    assert_eq!(history, own);
}

#[tokio::test]
async fn whoever_comes_back_gets_exactly_what_was_missed() {
    let stack = wide_stack().await;
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let (vent, Talker { person, socket }) = pair(first, first).await;
    vent.socket.send("one").await.expect("kept");
    let (seen, _) = said(&socket.wait_for("send_message_to_client").await.expect("one"));
    drop(socket);
    vent.socket.wait_for("user_disconnected").await.expect("told at once");
    vent.socket.send("two").await.expect("kept, although nobody is there");
    vent.socket.send("three").await.expect("kept");

    let back = person.resume(second, seen).await.expect("back on the other gateway");
    let resumed = back.wait_for("resumed").await.expect("a snapshot");
    assert_eq!((&resumed["state"], &resumed["partner_connected"]), (&json!("room"), &json!(true)));
    let missed: Vec<_> = resumed["messages"].as_array().expect("messages").iter().map(said).collect();
    assert_eq!(missed, [(2, "two".to_owned()), (3, "three".to_owned())]);
    vent.socket.wait_for("user_connected").await.expect("told");
    vent.socket.send("four").await.expect("kept");
    assert_eq!(texts(&back, 1).await, [(4, "four".to_owned())]);
}

#[tokio::test]
async fn a_killed_gateway_costs_nobody_the_conversation() {
    let stack = wide_stack().await;
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let (vent, listen) = pair(first, second).await;
    vent.socket.send("one").await.expect("kept");
    texts(&listen.socket, 1).await;
    stack.gateways()[0].kill().await;
    listen.socket.send("two").await.expect("kept");
    let back = vent.person.resume(second, 1).await.expect("back on the other gateway");
    let resumed = back.wait_for("resumed").await.expect("a snapshot");
    assert_eq!(
        resumed["messages"].as_array().expect("messages").iter().map(said).collect::<Vec<_>>(),
        [(2, "two".to_owned())]
    );
    back.send("three").await.expect("kept");
    assert_eq!(texts(&listen.socket, 1).await, [(3, "three".to_owned())]);
}

#[tokio::test]
async fn what_was_acknowledged_is_kept_when_chat_stores_are_killed() {
    let stack = wide_stack().await;
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let (vent, listen) = pair(first, second).await;
    let (mut acknowledged, mut tried) = (Vec::new(), 0);
    for victim in stack.chat_stores() {
        for _ in 0..30 {
            tried += 1;
            if let Ok(stored) = vent.socket.send(&format!("text {tried}")).await {
                acknowledged.push(said(&stored));
            }
            if tried % 30 == 10 {
                victim.kill().await;
                victim.start().expect("started again");
            }
        }
    }
    assert!(acknowledged.len() > 60, "most of {tried} were kept, {} in fact", acknowledged.len());
    let again = listen.person.resume(first, 0).await.expect("back").wait_for("resumed").await.expect("the history");
    let history: Vec<_> = again["messages"].as_array().expect("messages").iter().map(said).collect();
    let sequences: Vec<u64> = history.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>(), "no gap");
    for message in &acknowledged {
        assert_eq!(history.iter().filter(|kept| *kept == message).count(), 1, "{message:?} was acknowledged");
    }
    let mut sorted = acknowledged.clone();
    sorted.sort();
    assert_eq!(sorted, acknowledged, "in the order of sending");
}

#[tokio::test]
async fn a_message_sent_again_is_the_same_message() {
    let stack = wide_stack().await;
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let (vent, listen) = pair(first, second).await;
    let message = json!({"content": "once", "nonce": person::nonce()});
    let stored = vent.socket.request_data("send_message", message.clone()).await.expect("kept");
    assert_eq!(vent.socket.request_data("send_message", message).await.expect("the same answer"), stored);
    vent.socket.send("twice").await.expect("kept");
    assert_eq!(texts(&listen.socket, 2).await, [(1, "once".to_owned()), (2, "twice".to_owned())]);
}

#[tokio::test]
async fn without_a_store_a_message_is_refused_in_time_and_may_be_sent_again() {
    let stack = local::Stack::start(options()).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let (vent, listen) = pair(gateway, gateway).await;
    stack.chat_stores()[0].kill().await;
    let message = json!({"content": "patience", "nonce": person::nonce()});
    let refused = vent.socket.request("send_message", message.clone()).await.expect("an answer");
    assert_eq!((&refused["success"], &refused["code"]), (&json!(false), &json!("unavailable")));
    let (status, answer) = vent
        .person
        .post(gateway, "/messages", json!({"message": "x", "nonce": "abcdefghijklmnop"}))
        .await
        .expect("an answer");
    assert_eq!((status.as_u16(), &answer["success"]), (503, &json!(false)));

    stack.chat_stores()[0].start().expect("started again");
    stack.chat_stores()[0].ready().await.expect("ready");
    let stored = vent.socket.request_data("send_message", message).await.expect("kept this time");
    assert_eq!(said(&stored), (1, "patience".to_owned()));
    assert_eq!(texts(&listen.socket, 2).await, [(1, "patience".to_owned()), (2, "x".to_owned())]);
}

#[tokio::test]
async fn a_stranger_reaches_no_room() {
    let stack = local::Stack::start(options()).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let (vent, _listen) = pair(gateway, gateway).await;
    let stored = vent.socket.send("between us").await.expect("kept");
    let stranger = Talker::arrive(gateway).await;
    for (event, data) in [
        ("send_message", json!({"content": "hi", "nonce": "n"})),
        ("like_message", json!({"message_id": stored["_id"]})),
        ("typing", json!({"typing": true})),
    ] {
        let answer = stranger.socket.request(event, data).await.expect("an answer");
        assert_eq!((&answer["success"], &answer["code"]), (&json!(false), &json!("not_in_room")), "{event}");
    }
    let (other, _partner) = pair(gateway, gateway).await;
    let answer = other.socket.request("like_message", json!({"message_id": stored["_id"]})).await.expect("an answer");
    assert_eq!(answer["code"], "unknown_message");
}

#[tokio::test]
async fn old_clients_meet_over_rest_and_bare_secrets() {
    let stack = wide_stack().await;
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let angular = Person::arrive(first).await.expect("a new user");
    let angular_socket = angular.connect_and_hello(second).await.expect("a connection");
    let (status, _) = angular.post(first, "/queue", json!({"queueType": "talk"})).await.expect("an answer");
    assert_eq!(status, 200);
    let react = Person::arrive_in_talk(second).await.expect("a new user");
    let react_socket = person::Socket::connect(first, None).await.expect("a connection");
    react_socket.emit("register_sid", &json!(react.secret)).await.expect("said");
    for (person, socket) in [(&angular, &angular_socket), (&react, &react_socket)] {
        assert_eq!(socket.wait_for("queue_complete").await.expect("a match")["user_id"], person.user);
        socket.emit("join_room", &json!(person.secret)).await.expect("said");
        socket.wait_for("user_connected").await.expect("entered");
    }
    let stored = angular.post_message(first, "hello").await.expect("kept");
    assert_eq!(react_socket.wait_for("send_message_to_client").await.expect("it")["_id"], stored["_id"]);
    react_socket.disconnect().await.expect("said goodbye");
    angular_socket.wait_for("user_disconnected").await.expect("told");
    eventually(Duration::from_secs(5), || kept(&stack), Vec::is_empty).await;
}

#[tokio::test]
async fn somebody_who_stops_reading_counts_as_lost_and_holds_up_no_drain() {
    let impatient = ["PING_INTERVAL", "PING_TIMEOUT"].map(|name| (name.to_owned(), "1s".to_owned()));
    let stack =
        local::Stack::start(local::StackOptions { env: impatient.to_vec(), ..options() }).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let (vent, listen) = pair(gateway, gateway).await;
    listen.socket.stall();
    // More than the buffers between the two take.
    let page = "x".repeat(16_000);
    for _ in 0..190 {
        vent.socket.send(&page).await.expect("kept");
    }
    vent.socket.wait_for("user_disconnected").await.expect("told");
    assert!(stack.gateways()[0].terminate().await.success(), "{}", stack.gateways()[0].recent_log());
}
