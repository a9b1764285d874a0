//! Commands that cannot be decoded, or applied, among all the others: each has to become a dead letter with its reason,
//! and to delay no other one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::Context;
use async_nats::{Client, HeaderMap, jetstream};
use local::Stack;
use mongodb::bson::doc;
use proto::{
    Command, ConnectionStamp, RoomCommand, RoomId, UserCommand, UserId,
    bus::{REASON, encode, now_ms},
    streams, subjects,
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How often a bad command is published.
const EVERY: Duration = Duration::from_secs(4);
/// How long it may take to become a dead letter: all of its retries, and what is broken then.
const PATIENCE: Duration = Duration::from_secs(60);

/// The words that the reason has to contain, by the subject of the command.
type Expected = BTreeMap<String, &'static str>;

/// Publishes bad commands until it is stopped.
pub(crate) struct Poison {
    client: Client,
    stop: CancellationToken,
    publishing: tokio::task::JoinHandle<anyhow::Result<Expected>>,
}

impl Poison {
    /// Starts. MongoDB refuses to store some users from now on.
    ///
    /// # Errors
    /// When a server does not reply.
    pub(crate) async fn start(stack: &Stack) -> anyhow::Result<Self> {
        let database = mongodb::Client::with_uri_str(stack.mongodb_uri()).await?.database(stack.database());
        let refused = doc! { "$not": { "$regex": "^00000000" } };
        let refusing = doc! { "collMod": "users", "validator": { "_id": refused } };
        database.run_command(refusing).await.context("making MongoDB refuse some users")?;
        let client = async_nats::connect(stack.nats_url().split(',').collect::<Vec<_>>()).await?;
        let stop = CancellationToken::new();
        let publishing = tokio::spawn(publish(client.clone(), stop.clone()));
        Ok(Self { client, stop, publishing })
    }

    /// Stops; what is wrong with the dead letters, and how many were right. None are left.
    ///
    /// # Errors
    /// When publishing failed for good.
    pub(crate) async fn finish(self) -> anyhow::Result<(Vec<String>, usize)> {
        self.stop.cancel();
        let mut found = Found { expected: self.publishing.await??, ..Found::default() };
        let deadline = Instant::now() + PATIENCE;
        while !found.expected.is_empty() && Instant::now() < deadline {
            // When it fails, NATS is still on its way back.
            let _unavailable = found.take(&self.client).await;
            sleep(Duration::from_millis(250)).await;
        }
        found.wrong.extend(found.expected.into_keys().map(|subject| format!("no dead letter of {subject}")));
        Ok((found.wrong, found.right.len()))
    }
}

#[derive(Default)]
struct Found {
    expected: Expected,
    right: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Found {
    /// Takes all dead letters out of the stream.
    async fn take(&mut self, client: &Client) -> anyhow::Result<()> {
        let stream = jetstream::new(client.clone()).get_stream(streams::DEAD).await?;
        let state = stream.cached_info().state.clone();
        for number in state.first_sequence..=state.last_sequence {
            let Ok(letter) = stream.get_raw_message(number).await else { continue };
            let reason = letter.headers.get(REASON).map_or("", |reason| reason.as_str());
            let subject = subjects::original_subject(&letter.subject).context("the subject of a dead letter")?;
            self.judge(subject.to_string(), reason);
            stream.delete_message(number).await?;
        }
        Ok(())
    }

    fn judge(&mut self, subject: String, reason: &str) {
        // Dead-lettered twice, by a process that died in between.
        if self.right.contains(&subject) {
            return;
        }
        match self.expected.remove(&subject) {
            Some(words) if reason.contains(words) => drop(self.right.insert(subject)),
            _ => self.wrong.push(format!("a dead letter of {subject}: {reason}")),
        }
    }
}

async fn publish(client: Client, stop: CancellationToken) -> anyhow::Result<Expected> {
    let js = jetstream::new(client);
    let mut expected = Expected::new();
    let mut number = 0;
    while stop.run_until_cancelled(sleep(EVERY)).await.is_some() {
        number += 1;
        let (subject, payload, words) = bad_command(number)?;
        let id = format!("poison-{number}");
        // As often as it takes; the stream has it once.
        while !published(&js, &subject, &id, &payload).await {
            sleep(Duration::from_millis(500)).await;
        }
        expected.insert(subject, words);
    }
    Ok(expected)
}

async fn published(js: &jetstream::Context, subject: &str, id: &str, payload: &[u8]) -> bool {
    let mut headers = HeaderMap::new();
    headers.insert(async_nats::header::NATS_MESSAGE_ID, id);
    let publish = async {
        let publish = js.publish_with_headers(subject.to_owned(), headers, payload.to_vec().into()).await?;
        publish.await
    };
    matches!(timeout(Duration::from_secs(5), publish).await, Ok(Ok(_)))
}

/// A subject, a payload, and what its reason contains.
fn bad_command(number: u64) -> anyhow::Result<(String, Vec<u8>, &'static str)> {
    let (room, author) = (RoomId::new(), UserId::new());
    let sent = RoomCommand::MessageSent { room, author, nonce: "poison".into(), content: "poison".into() };
    let sent = sent.subject().to_string();
    // Its id starts with 0000…, which MongoDB refuses.
    let refused = connected(format!("{number:032x}").parse()?)?;
    Ok(match number % 4 {
        0 => (sent, b"no command".to_vec(), "not a known command"),
        1 => (connected(author)?.subject().to_string(), b"{\"v\":99}".to_vec(), "payload version"),
        2 => (sent, b"{\"v\":1,\"type\":\"unknown\"}".to_vec(), "not a known command"),
        _ => (refused.subject().to_string(), encode(&refused).to_vec(), "validation"),
    })
}

/// A connection of a gateway that does not exist.
fn connected(user: UserId) -> anyhow::Result<UserCommand> {
    let gateway = "poison".parse().map_err(anyhow::Error::msg)?;
    Ok(UserCommand::Connected { user, stamp: ConnectionStamp { opened_at_ms: now_ms(), gateway, counter: 1 } })
}
