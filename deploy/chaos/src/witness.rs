//! Sees every change in MongoDB as the majority has it, in its order, so that what is erased at a room's end can
//! still be checked. It reads the change stream, and goes on after each lost connection where it was.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use futures_util::StreamExt as _;
use mongodb::{
    Client, Database,
    bson::{Bson, Document},
    change_stream::event::ResumeToken,
};
use tokio::task::JoinHandle;

use crate::history::Ms;

/// A change that matters, and when the primary made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// When, by the primary's clock.
    pub at: Ms,
    /// What.
    pub what: Change,
}

/// What changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Two people were matched.
    Opened {
        /// The room.
        room: String,
        /// Who, and from which queues.
        members: Vec<(String, String)>,
    },
    /// The room is over.
    Closed {
        /// Which.
        room: String,
    },
    /// The room's document is deleted.
    Gone {
        /// Which.
        room: String,
    },
    /// A message is stored.
    Stored {
        /// Its id.
        id: String,
        /// In which room.
        room: String,
        /// By whom.
        author: String,
        /// The author's id of it.
        nonce: String,
        /// At which place.
        seq: u64,
    },
    /// A message is deleted.
    Erased {
        /// Its id.
        id: String,
    },
}

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Witness {
    facts: Arc<Mutex<Vec<Fact>>>,
    watching: JoinHandle<()>,
}

impl Witness {
    /// Begins to watch a database, before anything happens in it.
    ///
    /// # Errors
    /// When MongoDB does not answer.
    pub async fn watch(uri: &str, database: &str) -> anyhow::Result<Self> {
        let database = Client::with_uri_str(uri).await?.database(database);
        let stream = database.watch().await.context("watching MongoDB")?;
        let token = stream.resume_token();
        drop(stream);
        let facts = Arc::default();
        let watching = tokio::spawn(follow(database, token, Arc::clone(&facts)));
        Ok(Self { facts, watching })
    }

    /// What was seen until now.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn follow(database: Database, mut token: Option<ResumeToken>, facts: Arc<Mutex<Vec<Fact>>>) {
    loop {
        // Whatever it is: MongoDB is being killed, and comes back.
        let _broken = read(&database, &mut token, &facts).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

async fn read(database: &Database, token: &mut Option<ResumeToken>, facts: &Mutex<Vec<Fact>>) -> anyhow::Result<()> {
    let mut watch = database.watch();
    if let Some(token) = token.clone() {
        watch = watch.start_after(token);
    }
    let mut changes = watch.await?.with_type::<Document>();
    while let Some(change) = changes.next().await {
        if let Some(fact) = fact(&change?) {
            facts.lock().unwrap_or_else(PoisonError::into_inner).push(fact);
        }
        *token = changes.resume_token();
    }
    Ok(())
}

fn fact(change: &Document) -> Option<Fact> {
    let at = change.get_datetime("wallTime").ok()?.timestamp_millis();
    let collection = change.get_document("ns").ok()?.get_str("coll").ok()?;
    let id = text(change.get_document("documentKey").ok()?, "_id")?;
    let what = match (collection, change.get_str("operationType").ok()?) {
        ("rooms", "insert") => opened(id, change.get_document("fullDocument").ok()?),
        ("rooms", "update") => closed(id, change.get_document("updateDescription").ok()?)?,
        ("rooms", "delete") => Change::Gone { room: id },
        ("messages", "insert") => stored(id, change.get_document("fullDocument").ok()?)?,
        ("messages", "delete") => Change::Erased { id },
        _ => return None,
    };
    Some(Fact { at, what })
}

fn opened(room: String, document: &Document) -> Change {
    let members = document.get_array("members").map(Vec::as_slice).unwrap_or_default();
    let member = |member: &Bson| {
        let member = member.as_document()?;
        Some((text(member, "user")?, text(member, "queue")?))
    };
    Change::Opened { room, members: members.iter().filter_map(member).collect() }
}

fn closed(room: String, update: &Document) -> Option<Change> {
    let open = update.get_document("updatedFields").ok()?.get_bool("open").ok()?;
    (!open).then_some(Change::Closed { room })
}

fn stored(id: String, document: &Document) -> Option<Change> {
    let seq = document.get_i64("seq").ok().or_else(|| document.get_i32("seq").ok().map(i64::from))?;
    Some(Change::Stored {
        id,
        room: text(document, "room_id")?,
        author: text(document, "author")?,
        nonce: text(document, "nonce")?,
        seq: u64::try_from(seq).ok()?,
    })
}

fn text(document: &Document, field: &str) -> Option<String> {
    document.get_str(field).ok().map(ToOwned::to_owned)
}
