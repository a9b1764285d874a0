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
use tokio::{sync::watch, task::JoinHandle};

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
    /// The matcher has noted that both were told.
    Announced {
        /// Of which room.
        room: String,
    },
    /// Both have entered: the conversation has started.
    Started {
        /// In which room.
        room: String,
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
    /// The register of a user holds this connection as open.
    Present {
        /// Who.
        user: String,
        /// The connection's stamp: when it was opened, by its gateway's clock.
        opened_at: Ms,
    },
    /// The register of a user holds no open connection.
    Absent {
        /// Who.
        user: String,
    },
}

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Witness {
    seen: Seen,
    watching: JoinHandle<()>,
}

/// What was seen, and how many rooms were opened: for those who wait for one.
#[derive(Clone, Debug, Default)]
struct Seen {
    facts: Arc<Mutex<Vec<Fact>>>,
    opened: Arc<watch::Sender<u64>>,
}

impl Seen {
    fn note(&self, fact: Fact) {
        let opened = matches!(fact.what, Change::Opened { .. });
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).push(fact);
        if opened {
            self.opened.send_modify(|count| *count += 1);
        }
    }
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
        let seen = Seen::default();
        let watching = tokio::spawn(follow(database, token, seen.clone()));
        Ok(Self { seen, watching })
    }

    /// What was seen until now.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        self.seen.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells of rooms that are opened from now on.
    #[must_use]
    pub fn openings(&self) -> watch::Receiver<u64> {
        self.seen.opened.subscribe()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn follow(database: Database, mut token: Option<ResumeToken>, seen: Seen) {
    loop {
        // Whatever it is: MongoDB is being killed, and comes back.
        let _broken = read(&database, &mut token, &seen).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

async fn read(database: &Database, token: &mut Option<ResumeToken>, seen: &Seen) -> anyhow::Result<()> {
    let mut watch = database.watch();
    if let Some(token) = token.clone() {
        watch = watch.start_after(token);
    }
    let mut changes = watch.await?.with_type::<Document>();
    while let Some(change) = changes.next().await {
        if let Some(fact) = fact(&change?) {
            seen.note(fact);
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
        ("rooms", "update") => updated(id, change.get_document("updateDescription").ok()?)?,
        ("rooms", "delete") => Change::Gone { room: id },
        ("messages", "insert") => stored(id, change.get_document("fullDocument").ok()?)?,
        ("messages", "delete") => Change::Erased { id },
        ("users", "insert" | "replace") => present(id, change.get_document("fullDocument").ok()?)?,
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

fn updated(room: String, update: &Document) -> Option<Change> {
    let fields = update.get_document("updatedFields").ok()?;
    if fields.get_bool("open").is_ok_and(|open| !open) {
        return Some(Change::Closed { room });
    }
    if fields.get_bool("started").unwrap_or(false) {
        return Some(Change::Started { room });
    }
    fields.contains_key("announced_at").then_some(Change::Announced { room })
}

fn present(user: String, document: &Document) -> Option<Change> {
    let erased = document.get_str("state").ok()? == "gone";
    let open = |connection: &&Document| connection.get_str("state").is_ok_and(|state| state == "open");
    let Some(connection) = document.get_document("connection").ok().filter(open).filter(|_| !erased) else {
        return Some(Change::Absent { user });
    };
    Some(Change::Present { user, opened_at: connection.get_i64("opened_at_ms").ok()? })
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
