//! Somebody tries to connect while nothing answers, gives up, and tries again: the newest connection counts, whatever
//! the older attempts come to when all is back.

use std::time::Duration;

use local::{Database, Stack, StackOptions};
use person::Person;
use serde_json::json;
use servers::process::Signal;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// After a gateway's first question was not answered for 5 s, and shortly before it asks on for a newer connection.
const OLDER_HAS_ASKED_AGAIN: Duration = Duration::from_millis(5_850);

#[tokio::test]
async fn an_attempt_that_was_given_up_does_not_silence_the_newer_connection() {
    let options = StackOptions { mongodb: Database::Own, ..StackOptions::new(env!("CARGO_BIN_EXE_chaos")) };
    let stack = Stack::start(options).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let ann = Person::arrive(gateway).await.expect("a new user");
    let mongo = stack.mongo()[0].clone();
    mongo.signal(Signal::SIGSTOP);
    let stopped = Instant::now();
    let older = ann.connect(gateway).await.expect("a connection that nobody notes");
    sleep(Duration::from_secs(1)).await;
    drop(older);
    let newer = ann.connect(gateway).await.expect("another one");
    sleep_until(stopped + OLDER_HAS_ASKED_AGAIN).await;
    mongo.signal(Signal::SIGCONT);

    newer.wait_for("resumed").await.expect("the newer one counts");
    let silenced = timeout(Duration::from_secs(3), newer.wait_for("replaced")).await;
    assert!(silenced.is_err(), "silenced by an older attempt");
    newer.get("request_queue", json!({"queue": "talk"})).await.expect("queued");
    let ben = Person::arrive(gateway).await.expect("a new user");
    let bens = ben.connect(gateway).await.expect("a connection");
    bens.get("request_queue", json!({"queue": "talk"})).await.expect("queued");
    newer.wait_for("queue_complete").await.expect("a partner");
    drop(newer);
    // Nothing of the older attempt makes the matcher think that Ann is still there.
    bens.wait_for("user_disconnected").await.expect("Ann is gone");
    stack.stop().await.expect("a clean stop");
}
