//! What is left anywhere when everybody has gone: documents, messages in streams, and what the backstop had to do.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::jetstream;
use local::{Sink, Stack};
use mongodb::{
    Database,
    bson::{Document, doc},
};
use proto::streams;
use tokio::time::{Instant, sleep};

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(250);

/// Waits until nothing is left, for so long at most; what is left then.
///
/// # Errors
/// When a server cannot be connected to.
pub(crate) async fn wait_for_nothing(stack: &Stack, patience: Duration) -> anyhow::Result<Vec<String>> {
    let database = mongodb::Client::with_uri_str(stack.mongodb_uri()).await?.database(stack.database());
    let nodes: Vec<&str> = stack.nats_url().split(',').collect();
    let js = jetstream::new(async_nats::connect(nodes).await?);
    let deadline = Instant::now() + patience;
    loop {
        let left = list(&database, &js).await.unwrap_or_else(|error| vec![format!("it cannot be read: {error:#}")]);
        if left.is_empty() || Instant::now() > deadline {
            return Ok(left);
        }
        sleep(EVERY).await;
    }
}

async fn list(database: &Database, js: &jetstream::Context) -> anyhow::Result<Vec<String>> {
    let mut left = Vec::new();
    for name in database.list_collection_names().await? {
        let collection = database.collection::<Document>(&name);
        if let Some(one) = collection.find_one(doc! {}).await? {
            let count = collection.count_documents(doc! {}).await?;
            left.push(format!("{count} in the collection {name}, for instance {}", without_text(one)));
        }
    }
    for name in [streams::USERS, streams::MESSAGES, streams::DEAD] {
        let count = js.get_stream(name).await?.cached_info().state.messages;
        if count > 0 {
            left.push(format!("{count} in the stream {name}"));
        }
    }
    Ok(left)
}

fn without_text(mut document: Document) -> Document {
    document.remove("content");
    document
}

/// Reads in the services' logs what the chat-stores' sweeps had to remove, which the usual erasure should have. The
/// metric starts again with each process.
#[derive(Clone, Default)]
pub(crate) struct Sweeps(Arc<Mutex<Vec<String>>>);

impl Sweeps {
    /// What the stack's lines go to.
    pub(crate) fn sink(&self) -> Sink {
        let lines = self.0.clone();
        Arc::new(move |name, line| {
            if line.contains("orphaned messages removed") {
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{name}: {line}"));
            }
        })
    }

    /// The lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
