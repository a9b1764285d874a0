//! A client connects while MongoDB hangs, gives up, and connects again: the newest connection wins, whatever the older
//! attempts come to when MongoDB is back.

use async_nats::Subscriber;
use futures_util::StreamExt;
use local::{Database, Stack, StackOptions};
use person::Person;
use serde_json::json;
use servers::process::Signal;
use tokio::time::timeout;

/// The next command of a user that a gateway publishes.
async fn next_command(commands: &mut Subscriber) -> String {
    let command = timeout(person::PATIENCE, commands.next()).await.expect("in time").expect("a command");
    command.subject.into_string()
}

#[tokio::test]
async fn an_attempt_that_was_given_up_does_not_silence_the_newer_connection() {
    let options = StackOptions { mongodb: Database::Own, ..StackOptions::new(env!("CARGO_BIN_EXE_chaos")) };
    let stack = Stack::start(options).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let ann = Person::arrive(gateway).await.expect("a new user");
    let nats = async_nats::connect(stack.nats_url()).await.expect("NATS");
    let mut commands = nats.subscribe(format!("talk.user.*.{}", ann.user)).await.expect("subscribed");
    // A round trip, so that the server knows of it.
    nats.request("$SYS.REQ.USER.INFO", "".into()).await.expect("a reply");
    let connected = format!("talk.user.connected.{}", ann.user);

    let mongo = stack.mongo()[0].clone();
    mongo.signal(Signal::SIGSTOP);
    let older = ann.connect(gateway).await.expect("a connection that is not applied");
    assert_eq!(next_command(&mut commands).await, connected, "the older one claims the user");
    drop(older);
    let closed = format!("talk.user.disconnected.{}", ann.user);
    assert_eq!(next_command(&mut commands).await, closed, "it is closed before it was applied");
    let newer = ann.connect(gateway).await.expect("another one");
    assert_eq!(next_command(&mut commands).await, connected, "the newer one claims the user");
    mongo.signal(Signal::SIGCONT);

    newer.wait_for("resumed").await.expect("the newer one wins");
    newer.request_data("request_queue", json!({"queue": "talk"})).await.expect("queued");
    let ben = Person::arrive(gateway).await.expect("a new user");
    let bens = ben.connect(gateway).await.expect("a connection");
    bens.request_data("request_queue", json!({"queue": "talk"})).await.expect("queued");
    loop {
        let event = newer.next().await.expect("a partner");
        assert_ne!(event.name, "replaced", "replaced by an older attempt");
        if event.name == "queue_complete" {
            break;
        }
    }
    drop(newer);
    // Nothing of the older attempt makes the matcher regard Ann as connected.
    bens.wait_for("user_disconnected").await.expect("Ann is gone");
    stack.stop().await.expect("a clean stop");
}
