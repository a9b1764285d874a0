//! Bad input gets a clear error and changes nothing.

use crate::support::{Talker, options, pair, texts};
use person::{Person, Socket};
use serde_json::{Value, json};

#[tokio::test]
async fn bad_bodies_are_refused_in_the_envelope() {
    let stack = local::Stack::start(options()).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let person = Person::arrive(gateway).await.expect("a new user");
    let http = reqwest::Client::new();
    let secret = &person.secret;
    let huge = "x".repeat(70_000);
    for (route, body, status) in [
        ("/queue", "not json".to_owned(), 400),
        ("/queue", json!({"secret": secret}).to_string(), 400),
        ("/queue", json!({"secret": secret, "queueType": "other"}).to_string(), 400),
        ("/queue", json!({"secret": {"$ne": null}, "queueType": "talk"}).to_string(), 400),
        ("/queue", json!({"secret": "guessed", "queueType": "talk"}).to_string(), 403),
        ("/messages", json!({"secret": secret, "message": ["x"], "nonce": "n"}).to_string(), 400),
        ("/messages", json!({"secret": secret, "message": "x"}).to_string(), 400),
        ("/messages", json!({"secret": secret, "message": "", "nonce": "n"}).to_string(), 400),
        ("/messages", json!({"secret": secret, "message": "x", "nonce": "a.b"}).to_string(), 400),
        ("/messages", json!({"secret": secret, "message": "x".repeat(17_000), "nonce": "n"}).to_string(), 400),
        ("/messages", json!({"secret": secret, "message": "x", "nonce": "n"}).to_string(), 403),
        ("/messages", json!({"secret": secret, "message": huge, "nonce": "n"}).to_string(), 413),
        ("/likes", json!({"secret": secret, "message_id": 7}).to_string(), 400),
        ("/typing", json!({"secret": secret, "user_id": person.user, "typing": "yes"}).to_string(), 400),
        ("/nothing", "{}".to_owned(), 404),
        ("/auth", "{}".to_owned(), 405),
    ] {
        let response = http.post(format!("{gateway}{route}")).header("origin", "https://a.example").body(body.clone());
        let response = response.send().await.expect("an answer");
        let shown = &body[..body.len().min(80)];
        assert_eq!(response.status(), status, "{route} {shown}");
        assert_eq!(response.headers()["access-control-allow-origin"], "https://a.example", "{route} {shown}");
        let answer: Value = response.json().await.expect("an envelope");
        assert_eq!(answer["success"], false, "{route} {shown}");
        assert!(answer["error"].as_str().is_some_and(|sentence| !sentence.is_empty()), "{route} {shown}");
    }
}

#[tokio::test]
async fn bad_events_are_answered_and_the_conversation_goes_on() {
    let stack = local::Stack::start(options()).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let (vent, listen) = pair(gateway, gateway).await;
    for (event, data, code) in [
        ("no_such_event", json!({}), "unknown_event"),
        ("send_message", json!(null), "bad_request"),
        ("send_message", json!({"content": {"$ne": 1}, "nonce": "n"}), "bad_request"),
        ("send_message", json!({"content": "x", "nonce": "talk.*"}), "bad_request"),
        ("like_message", json!({"message_id": {"$ne": 1}}), "bad_request"),
        ("like_message", json!({"message_id": "nonsense"}), "unknown_message"),
        ("request_queue", json!({"queue": "vent"}), "in_room"),
        ("typing", json!(["yes"]), "bad_request"),
    ] {
        let answer = vent.socket.request(event, data.clone()).await.expect("an answer");
        assert_eq!((&answer["success"], &answer["code"]), (&json!(false), &json!(code)), "{event} {data}");
    }
    vent.socket.send("still here").await.expect("kept");
    assert_eq!(texts(&listen.socket, 1).await, [(1, "still here".to_owned())]);
}

#[tokio::test]
async fn a_flood_is_refused_with_the_time_to_wait() {
    let slow = vec![("ACTIONS_PER_SECOND".to_owned(), "1".to_owned())];
    let stack = local::Stack::start(local::StackOptions { env: slow, ..options() }).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let talker = Talker::arrive(gateway).await;
    let mut answers = Vec::new();
    for _ in 0..15 {
        answers.push(talker.socket.request("typing", json!({"typing": true})).await.expect("an answer"));
    }
    let refused = answers.last().expect("an answer");
    assert_eq!(refused["code"], "too_many_requests");
    assert!(refused["retry_after_ms"].as_u64().is_some_and(|wait| (1..=1000).contains(&wait)), "{refused}");
}

#[tokio::test]
async fn a_secret_that_nobody_signed_opens_no_connection() {
    let stack = local::Stack::start(options()).await.expect("a stack");
    let refused = Socket::connect(&stack.gateway_urls()[0], Some(json!({"secret": "guessed"}))).await;
    let sentence = refused.expect_err("refused").to_string();
    assert!(sentence.contains("unauthorized"), "{sentence}");
}

#[tokio::test]
async fn a_list_of_origins_holds_for_websocket_too() {
    let only = vec![("ALLOWED_ORIGINS".to_owned(), "https://good.example".to_owned())];
    let stack = local::Stack::start(local::StackOptions { env: only, ..options() }).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let http = reqwest::Client::new();
    for (origin, status) in [("https://good.example", 200), ("https://evil.example", 403)] {
        for route in ["/auth", "/socket.io/?EIO=4&transport=polling"] {
            let response = http.get(format!("{gateway}{route}")).header("origin", origin).send().await;
            assert_eq!(response.expect("an answer").status(), status, "{origin} {route}");
        }
    }
}
