//! A gateway that stood still does not say of anybody that they are here who has gone meanwhile.

use std::{sync::mpsc, thread, time::Duration};

use futures_util::StreamExt as _;
use person::Person;
use proto::{UserCommand, UserId, bus::Bus, streams};
use tokio::{runtime, sync::oneshot, time::timeout};

use crate::scene::{Matcher, PATIENCE, Scene};

/// How long the gateway stands still: clearly longer than a pause between two attempts.
const STANDSTILL: Duration = Duration::from_millis(1500);

/// Somebody on a thread of their own, who goes while the gateway stands still; meanwhile the stream comes back.
struct Elsewhere {
    connected: oneshot::Receiver<UserId>,
    stands_still: mpsc::Sender<()>,
    goes_on: mpsc::Receiver<()>,
}

fn elsewhere(gateway: String, nats: String) -> Elsewhere {
    let (here, connected) = oneshot::channel();
    let (stands_still, standing) = mpsc::channel();
    let (wake, goes_on) = mpsc::channel();
    let life = async move {
        let person = Person::arrive(&gateway).await.expect("a person");
        let socket = person.connect(&gateway).await.expect("a connection");
        here.send(person.user.parse().expect("an id")).expect("heard");
        tokio::task::spawn_blocking(move || standing.recv()).await.expect("waited").expect("told");
        drop(socket);
        let bus = Bus::new(async_nats::connect(nats).await.expect("a connection"));
        streams::declare(&bus.js, 1).await.expect("streams");
        tokio::time::sleep(STANDSTILL).await;
        wake.send(()).expect("heard");
    };
    thread::spawn(|| runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(life));
    Elsewhere { connected, stands_still, goes_on }
}

// The gateway is on this thread.
#[tokio::test]
async fn who_went_during_a_standstill_is_not_said_to_be_here() {
    let scene = Scene::open(&[]).await;
    let bus = &scene.matcher.bus;
    bus.js.delete_stream(streams::USERS).await.expect("deleted");
    let mut attempts = bus.client.subscribe("talk.user.connected.*").await.expect("subscribed");
    let elsewhere = elsewhere(scene.gateway.clone(), scene.nats.url());
    let gone = elsewhere.connected.await.expect("connected");

    // The stream does not take it: the session pauses.
    let attempt = timeout(PATIENCE, attempts.next()).await.expect("an attempt in time").expect("an attempt");
    let refused = r#"{"error":{"code":503,"err_code":10077,"description":"away"},"stream":"","seq":0}"#;
    bus.client.publish(attempt.reply.expect("asks for an answer"), refused.into()).await.expect("refused");
    for _ in 0..3 {
        bus.js.query_account().await.expect("an answer");
    }
    elsewhere.stands_still.send(()).expect("heard");
    elsewhere.goes_on.recv().expect("woken up");

    let mut matcher = Matcher::start(&scene.nats).await;
    let newcomer = Person::arrive(&scene.gateway).await.expect("a person");
    let newcomers_socket = newcomer.connect(&scene.gateway).await.expect("a connection");
    loop {
        let UserCommand::Connected { user, .. } = matcher.next().await.command else { continue };
        assert_ne!(user, gone, "who has gone is said to be here");
        if user.to_string() == newcomer.user {
            break;
        }
    }
    drop(newcomers_socket);
}
