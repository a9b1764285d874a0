//! What is left anywhere when everybody has gone: documents, messages in streams, and what the backstop had to do.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use local::{Sink, Stack};
use mongodb::bson::{Document, doc};
use proto::streams;
use tokio::time::{Instant, sleep};

/// Waits until nothing is left, or for as long as it may take; answers what is left then.
pub(crate) async fn wait_for_nothing(stack: &Stack, patience: Duration) -> Vec<String> {
    let deadline = Instant::now() + patience;
    loop {
        let left = look(stack).await.unwrap_or_else(|error| vec![format!("it cannot be looked at: {error:#}")]);
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        sleep(Duration::from_millis(250)).await;
    }
}

async fn look(stack: &Stack) -> anyhow::Result<Vec<String>> {
    let mut left = Vec::new();
    let database = mongodb::Client::with_uri_str(stack.mongodb_uri()).await?.database(stack.database());
    for name in database.list_collection_names().await? {
        let collection = database.collection::<Document>(&name);
        if let Some(one) = collection.find_one(doc! {}).await? {
            let count = collection.count_documents(doc! {}).await?;
            left.push(format!("{count} in the collection {name}, for instance {}", without_text(one)));
        }
    }
    let addresses: Vec<&str> = stack.nats_url().split(',').collect();
    let js = async_nats::jetstream::new(async_nats::connect(addresses).await?);
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

/// Hears in the services' logs what the chat-stores' sweeps had to remove, which the usual erasure should have. The
/// metric begins anew with each process.
#[derive(Clone, Default)]
pub(crate) struct Sweeps(Arc<Mutex<Vec<String>>>);

impl Sweeps {
    /// What the stack's lines go to.
    pub(crate) fn sink(&self) -> Sink {
        let heard = self.0.clone();
        Arc::new(move |name, line| {
            if line.contains("the sweep removed") {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{name}: {line}"));
            }
        })
    }

    /// The lines.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
