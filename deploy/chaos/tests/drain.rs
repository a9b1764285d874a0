//! A gateway that is taken down as planned: the partner of whoever is back in time notices nothing.

use std::time::Duration;

use local::{Stack, StackOptions};
use person::{Person, Socket};
use serde_json::json;
use tokio::time::{Instant, sleep};

async fn talker(gateway: &str, queue: &str) -> (Person, Socket) {
    let person = Person::arrive(gateway).await.expect("a new user");
    let socket = person.connect(gateway).await.expect("a connection");
    socket.get("request_queue", json!({"queue": queue})).await.expect("queued");
    (person, socket)
}

#[tokio::test]
async fn the_partner_hears_nothing_of_a_drained_gateway_unless_nobody_comes_back() {
    let options = StackOptions { gateways: 2, ..StackOptions::new(env!("CARGO_BIN_EXE_chaos")) };
    let stack = Stack::start(options).await.expect("a stack");
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let (vent, listen) = (talker(first, "vent").await, talker(second, "listen").await);
    let (talk, lonely) = (talker(first, "talk").await, talker(second, "talk").await);
    for (_, socket) in [&vent, &listen, &talk, &lonely] {
        socket.wait_for("user_connected").await.expect("a partner");
    }
    let draining = stack.gateways()[0].clone();
    let drained = tokio::spawn(async move { draining.terminate().await });
    // Both are told to go; one of them comes back.
    while vent.1.next().await.is_ok() {}
    let lost = Instant::now();
    let back = vent.0.resume(second, 0).await.expect("back");
    assert_eq!(back.wait_for("resumed").await.expect("a snapshot")["state"], "room");

    lonely.1.wait_for("user_disconnected").await.expect("told that nobody came back");
    assert!(lost.elapsed() > Duration::from_secs(4), "told after {:?}", lost.elapsed());
    // The other partner would have been told by now.
    sleep(Duration::from_secs(1)).await;
    back.send("still here").await.expect("kept");
    let told = listen.1.next().await.expect("an event");
    assert_eq!((told.name.as_str(), &told.data["content"]), ("send_message_to_client", &json!("still here")));
    assert!(drained.await.expect("it ends").success());
}
