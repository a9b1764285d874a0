//! A gateway that drains: it closes its connections one after the other, and the partner of a user who is back in time
//! notices nothing. The clients' libraries are tested in `deploy/clients/test/drain.test.js`.

use std::time::Duration;

use local::{Stack, StackOptions};
use person::{Person, Socket};
use serde_json::json;
use tokio::{task::JoinSet, time::Instant};

const USERS: usize = 8;
/// How long the matcher waits before it notifies the partner of a drained connection.
const GRACE: Duration = Duration::from_secs(5);

fn options(spread: &str) -> StackOptions {
    let env = vec![("DRAIN_SPREAD".to_owned(), spread.to_owned())];
    StackOptions { gateways: 2, env, ..StackOptions::new(env!("CARGO_BIN_EXE_chaos")) }
}

/// A user, and the connection of the partner.
async fn pair(leaver_at: &str, partner_at: &str) -> ((Person, Socket), Socket) {
    let [leaver, (_, partner)] = person::pair(leaver_at, partner_at).await.expect("two in a room");
    (leaver, partner)
}

/// Resolves when the gateway has closed the connection.
async fn lost(socket: &Socket) -> Instant {
    let started = Instant::now();
    while socket.next().await.is_ok() {}
    assert!(started.elapsed() < person::PATIENCE, "the connection stays");
    Instant::now()
}

#[tokio::test]
async fn connections_are_closed_one_after_the_other_and_only_a_user_who_stays_away_is_missed() {
    let stack = Stack::start(options("2s")).await.expect("a stack");
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let (mut leaving, mut partners) = (JoinSet::new(), Vec::new());
    for number in 0..USERS {
        let ((person, socket), partner) = pair(first, second).await;
        leaving.spawn(async move { (lost(&socket).await, number, person) });
        partners.push(partner);
    }
    let draining = stack.gateways()[0].clone();
    let drained = tokio::spawn(async move { draining.terminate().await });

    let (mut losses, mut back) = (Vec::new(), Vec::new());
    while let Some(left) = leaving.join_next().await {
        let (at, number, person) = left.expect("a loss");
        losses.push(at);
        // All but the last one come back.
        if !leaving.is_empty() {
            let socket = person.resume(second, 0).await.expect("back");
            assert_eq!(socket.wait_for("resumed").await.expect("a snapshot")["state"], "room");
            back.push((number, socket));
            continue;
        }
        partners[number].wait_for("user_disconnected").await.expect("the user did not come back");
        assert!(at.elapsed() > GRACE - Duration::from_millis(500), "notified after {:?}", at.elapsed());
    }
    // Seven pauses of a quarter of a second; only two of them may be swallowed by a machine that is busy.
    let apart = losses.windows(2).filter(|two| two[1] - two[0] > Duration::from_millis(100)).count();
    assert!(apart >= USERS - 3, "closed at {losses:?}");
    // A partner who missed a user before the last one would have been notified before this message.
    for (number, socket) in back {
        socket.send("still here").await.expect("stored");
        let event = partners[number].next().await.expect("an event");
        assert_eq!((event.name.as_str(), &event.data["content"]), ("send_message_to_client", &json!("still here")));
    }
    assert!(drained.await.expect("it ends").success());
}

#[tokio::test]
async fn a_draining_gateway_is_not_ready_accepts_no_new_connection_and_still_replies_by_rest() {
    let stack = Stack::start(options("8s")).await.expect("a stack");
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let (mut closing, mut partners) = (JoinSet::new(), Vec::new());
    let ((waiting, socket), partner) = pair(first, second).await;
    closing.spawn(async move { lost(&socket).await });
    for _ in 0..USERS {
        let ((_, socket), partner) = pair(first, second).await;
        closing.spawn(async move { lost(&socket).await });
        partners.push(partner);
    }
    let gateway = stack.gateways()[0].clone();
    assert!(gateway.is_ready().await);
    let drained = tokio::spawn(async move { gateway.terminate().await });
    closing.join_next().await.expect("a connection").expect("the first one is closed");
    assert!(!stack.gateways()[0].is_ready().await, "red from the beginning");
    let refused = Person::connect(&waiting, first).await.expect_err("no new connection").to_string();
    assert!(refused.contains("503"), "{refused}");
    waiting.post_message(first, "by REST").await.expect("stored");
    assert_eq!(partner.wait_for("send_message_to_client").await.expect("published")["content"], "by REST");
    assert!(!closing.is_empty(), "the drain was over before this was seen");
    assert!(drained.await.expect("it ends").success());
}

#[tokio::test]
async fn a_spread_that_does_not_fit_into_the_deadline_is_refused_at_the_start() {
    let refused = Stack::start(options("9s")).await.expect_err("9 s and 12 s are more than 20 s");
    let refused = format!("{refused:#}");
    assert!(refused.contains("DRAIN_SPREAD does not fit into DRAIN_DEADLINE"), "{refused}");
}
