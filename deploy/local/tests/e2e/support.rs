//! What the end-to-end tests share: a stack, two people who talk, and a look into everything that
//! could still hold something of them.

use local::{Sink, Stack, StackOptions};
use person::{Person, Socket};
use serde_json::{Value, json};
use std::{
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

/// A stack of its own for a test.
pub(crate) fn options() -> StackOptions {
    StackOptions::new(env!("CARGO_BIN_EXE_local"))
}

/// All log lines of the services; a stack itself keeps only the last ones.
pub(crate) type Lines = Arc<Mutex<Vec<String>>>;

/// Keeps every line, save those that report the progress of the stack.
pub(crate) fn sink(lines: &Lines) -> Option<Sink> {
    let lines = lines.clone();
    Some(Arc::new(move |from: &str, line: &str| {
        if from != "local" {
            lines.lock().expect("free").push(line.to_owned());
        }
    }))
}

/// Two gateways, three chat-stores.
pub(crate) async fn wide_stack() -> Stack {
    Stack::start(StackOptions { gateways: 2, matchers: 2, chat_stores: 3, ..options() }).await.expect("a stack")
}

/// Somebody and their connection.
pub(crate) struct Talker {
    pub(crate) person: Person,
    pub(crate) socket: Socket,
}

impl Talker {
    /// Opens the page and connects.
    pub(crate) async fn arrive(gateway: &str) -> Self {
        let person = Person::arrive(gateway).await.expect("a new user");
        let socket = person.connect(gateway).await.expect("a connection");
        assert_eq!(socket.wait_for("resumed").await.expect("a first look")["state"], "idle");
        Self { person, socket }
    }

    pub(crate) async fn queue(&self, queue: &str) {
        self.socket.request_data("request_queue", json!({"queue": queue})).await.expect("queued");
    }

    pub(crate) async fn matched(&self) {
        let told = self.socket.wait_for("queue_complete").await.expect("a match");
        assert_eq!(told["user_id"], self.person.user, "told of somebody else's match");
        self.socket.wait_for("user_connected").await.expect("a partner");
    }
}

/// Two people in a room: vent and listen.
pub(crate) async fn pair(first: &str, second: &str) -> (Talker, Talker) {
    let (vent, listen) = (Talker::arrive(first).await, Talker::arrive(second).await);
    vent.queue("vent").await;
    listen.queue("listen").await;
    vent.matched().await;
    listen.matched().await;
    (vent, listen)
}

/// The texts and sequences of the next `count` messages.
pub(crate) async fn texts(socket: &Socket, count: usize) -> Vec<(u64, String)> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let message = socket.wait_for("send_message_to_client").await.expect("a message");
        texts.push(said(&message));
    }
    texts
}

/// Sequence and text of a message.
pub(crate) fn said(message: &Value) -> (u64, String) {
    (message["seq"].as_u64().expect("a sequence"), message["content"].as_str().expect("a text").to_owned())
}

/// Everything that is kept anywhere: documents in MongoDB and messages in the streams.
pub(crate) async fn kept(stack: &Stack) -> Vec<String> {
    let mut kept = Vec::new();
    let database =
        mongodb::Client::with_uri_str(stack.mongodb_uri()).await.expect("MongoDB").database(stack.database());
    for name in database.list_collection_names().await.expect("collections") {
        let collection = database.collection::<mongodb::bson::Document>(&name);
        let count = collection.count_documents(mongodb::bson::doc! {}).await.expect("a count");
        if count > 0 {
            kept.push(format!("{count} in the collection {name}"));
        }
    }
    let client = stack.operators_nats_options().connect(stack.nats_url()).await.expect("NATS");
    let js = async_nats::jetstream::new(client);
    for name in [proto::streams::USERS, proto::streams::MESSAGES, proto::streams::DEAD] {
        let stream = js.get_stream(name).await.expect("a stream");
        let count = stream.cached_info().state.messages;
        if count > 0 {
            kept.push(format!("{count} in the stream {name}"));
        }
    }
    kept
}

/// Waits until a look finds what it looks for, before the limit.
pub(crate) async fn eventually<T: std::fmt::Debug, F: Future<Output = T>>(
    limit: Duration,
    look: impl Fn() -> F,
    good: impl Fn(&T) -> bool,
) -> T {
    let started = tokio::time::Instant::now();
    loop {
        let found = look().await;
        // A look may take long: what it finds too late is not good.
        assert!(started.elapsed() < limit, "still {found:?} after {limit:?}");
        if good(&found) {
            return found;
        }
        // Nothing signals that nothing is left.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
