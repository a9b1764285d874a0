//! Reads every change in MongoDB as the majority has it, in order, so that what is erased at a room's end can still be
//! checked. It reads the change stream, and continues after each lost connection where it was.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use futures_util::StreamExt as _;
use mongodb::{
    Client, Database,
    bson::{Document, doc},
    change_stream::event::ResumeToken,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::change::{Change, Fact, read};

/// A collection of our own, in which a document marks a point in the stream.
const MARKS: &str = "chaos_marks";
/// How long the stream may be behind.
const BEHIND: Duration = Duration::from_secs(30);
/// How soon the stream is opened again.
const AGAIN: Duration = Duration::from_millis(200);

/// Reads until it is dropped.
#[derive(Debug)]
pub struct Witness {
    database: Database,
    seen: Seen,
    reading: JoinHandle<()>,
}

/// The facts until now, how many rooms were opened, and how many marks were passed.
#[derive(Clone, Debug, Default)]
struct Seen {
    facts: Arc<Mutex<Vec<Fact>>>,
    opened: Arc<watch::Sender<u64>>,
    marks: Arc<watch::Sender<u64>>,
}

impl Seen {
    fn note(&self, fact: Fact) {
        let opened = matches!(fact.what, Change::RoomOpened { .. });
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).push(fact);
        if opened {
            self.opened.send_modify(|count| *count += 1);
        }
    }
}

impl Witness {
    /// Starts to read the changes of a database, before anything happens in it.
    ///
    /// # Errors
    /// When MongoDB does not reply.
    pub async fn watch(uri: &str, database: &str) -> anyhow::Result<Self> {
        let database = Client::with_uri_str(uri).await?.database(database);
        let stream = database.watch().await.context("watching MongoDB")?;
        let token = stream.resume_token();
        drop(stream);
        let seen = Seen::default();
        let reading = tokio::spawn(follow(database.clone(), token, seen.clone()));
        Ok(Self { database, seen, reading })
    }

    /// The facts until now.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        self.seen.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes with each room that is opened from now on.
    #[must_use]
    pub fn openings(&self) -> watch::Receiver<u64> {
        self.seen.opened.subscribe()
    }

    /// Returns when everything that was written until now has been read.
    ///
    /// # Errors
    /// When MongoDB does not reply, or the stream is behind for longer than 30 s.
    pub async fn catch_up(&self) -> anyhow::Result<()> {
        let mut marks = self.seen.marks.subscribe();
        let marked = self.database.collection::<Document>(MARKS);
        marked.insert_one(doc! {}).await.context("marking the change stream")?;
        marked.drop().await.context("removing the mark")?;
        timeout(BEHIND, marks.wait_for(|passed| *passed > 0)).await.context("the change stream is behind")??;
        Ok(())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn follow(database: Database, mut token: Option<ResumeToken>, seen: Seen) {
    loop {
        // Whatever it is: MongoDB is being killed, and comes back.
        let _broken = read_on(&database, &mut token, &seen).await;
        sleep(AGAIN).await;
    }
}

async fn read_on(database: &Database, token: &mut Option<ResumeToken>, seen: &Seen) -> anyhow::Result<()> {
    let mut watch = database.watch();
    if let Some(token) = token.clone() {
        watch = watch.start_after(token);
    }
    let mut changes = watch.await?.with_type::<Document>();
    while let Some(change) = changes.next().await {
        let change = change?;
        if is_mark(&change) {
            seen.marks.send_modify(|passed| *passed += 1);
        } else if let Some(fact) = read(&change) {
            seen.note(fact);
        }
        *token = changes.resume_token();
    }
    Ok(())
}

fn is_mark(change: &Document) -> bool {
    let collection = change.get_document("ns").and_then(|namespace| namespace.get_str("coll"));
    collection.is_ok_and(|name| name == MARKS) && change.get_str("operationType").is_ok_and(|what| what == "insert")
}
