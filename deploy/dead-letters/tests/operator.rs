//! The command against a real NATS, with its permissions of production.

use std::process::{Command, Output};

use proto::{Command as _, RoomCommand, RoomId, UserId, bus::Bus, bus::encode, streams, subjects};
use servers::{Access, Nats, NatsOptions};

fn run(nats: &Nats, user: &str, password: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dead-letters"));
    let env = [("NATS_URL", nats.url().as_str()), ("NATS_USER", user), ("NATS_PASSWORD", password)].map(owned);
    command.args(args).envs(env).output().expect("it runs")
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

async fn bus(nats: &Nats, user: &str) -> Bus {
    Bus::new(nats.options_of(user).connect(nats.url()).await.expect("a connection"))
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn messages(bus: &Bus, stream: &str) -> u64 {
    bus.js.get_stream(stream).await.expect("a stream").cached_info().state.messages
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_shown_without_their_text_and_replayed() {
    let access = Access::default();
    let nats = Nats::start(NatsOptions { access: Some(access.clone()), ..NatsOptions::default() }).await.expect("NATS");
    streams::declare(&bus(&nats, "matcher").await.js, 1).await.expect("streams");
    let bus = bus(&nats, "chat-store").await;
    let dead_letters = |nats: &Nats, args: &[&str]| run(nats, "dead-letters", &access.password("dead-letters"), args);
    assert!(!run(&nats, "dead-letters", "wrong", &["list"]).status.success());
    let (room, author) = (RoomId::new(), UserId::new());
    let command = RoomCommand::MessageSent { room, author, nonce: "n".into(), content: "help me".into() };
    let subject = command.subject();
    let mut headers = async_nats::HeaderMap::new();
    headers.insert(proto::bus::REASON, "MongoDB refused it");
    let payload = encode(&command);
    for payload in [payload.clone(), "no command".into()] {
        let dead = subjects::dead_letter(&subject);
        let publish = bus.js.publish_with_headers(dead, headers.clone(), payload).await.expect("published");
        publish.await.expect("stored");
    }

    let list = stdout(&dead_letters(&nats, &["list"]));
    assert_eq!(list.lines().count(), 2);
    assert!(list.contains(subject.as_str()) && list.contains("MongoDB refused it"), "{list}");
    let shown = stdout(&dead_letters(&nats, &["show", "1"]));
    assert!(shown.contains(&author.to_string()) && !shown.contains("help me"), "{shown}");
    assert!(stdout(&dead_letters(&nats, &["show", "1", "--content"])).contains("help me"));
    assert!(!stdout(&dead_letters(&nats, &["show", "2"])).contains("no command\n"));

    stdout(&dead_letters(&nats, &["replay", "1", "1"]));
    assert_eq!((messages(&bus, streams::DEAD).await, messages(&bus, streams::MESSAGES).await), (1, 1));
    let stream = bus.js.get_stream(streams::MESSAGES).await.expect("a stream");
    let replayed = stream.get_raw_message(1).await.expect("the command");
    assert_eq!((&replayed.subject, &replayed.payload), (&subject, &payload));

    assert!(!dead_letters(&nats, &["replay", "7"]).status.success());
    assert!(!dead_letters(&nats, &["replay"]).status.success());
    stdout(&dead_letters(&nats, &["replay", "--all"]));
    assert_eq!((messages(&bus, streams::DEAD).await, messages(&bus, streams::MESSAGES).await), (0, 2));
    // With the header of a replay the first of these is longer than NATS accepts.
    for payload in [vec![b'x'; bus.client.max_payload()].into(), payload] {
        bus.js.publish(subjects::dead_letter(&subject), payload).await.expect("published").await.expect("stored");
    }
    let replayed = dead_letters(&nats, &["replay", "--all"]);
    assert!(!replayed.status.success() && String::from_utf8_lossy(&replayed.stderr).contains("1 of 2"), "{replayed:?}");
    assert_eq!((messages(&bus, streams::DEAD).await, messages(&bus, streams::MESSAGES).await), (1, 3));
}
