//! The changes in MongoDB that matter to the checker, read from the documents of a change stream.

use mongodb::bson::{Bson, Document};

use crate::history::Ms;

/// A change, and when the primary made it.
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
    /// Two users were matched.
    RoomOpened {
        /// The room.
        room: String,
        /// Both users, and their queues.
        members: Vec<(String, String)>,
    },
    /// The matcher has recorded that both were notified.
    RoomAnnounced {
        /// Which.
        room: String,
    },
    /// Both have entered: the conversation has started.
    RoomStarted {
        /// Which.
        room: String,
    },
    /// The room is closed.
    RoomClosed {
        /// Which.
        room: String,
    },
    /// The room's document is deleted.
    RoomDeleted {
        /// Which.
        room: String,
    },
    /// A message is stored.
    MessageStored {
        /// Its id.
        id: String,
        /// In which room.
        room: String,
        /// By whom.
        author: String,
        /// The author's id of it.
        nonce: String,
        /// At which room sequence.
        seq: u64,
    },
    /// A message is marked as liked.
    MessageLiked {
        /// Its id.
        id: String,
    },
    /// A message is deleted.
    MessageErased {
        /// Its id.
        id: String,
    },
    /// A user's document was written.
    UserChanged {
        /// Which user.
        user: String,
        /// `idle`, `waiting`, `paired` or `gone`, if that was written.
        state: Option<String>,
        /// Whether the register is open, if that was written.
        connected: Option<bool>,
    },
    /// A user's document is deleted.
    UserDeleted {
        /// Which user.
        user: String,
    },
}

/// The change in an event of a change stream, if it matters.
#[must_use]
pub fn read(event: &Document) -> Option<Fact> {
    let at = event.get_datetime("wallTime").ok()?.timestamp_millis();
    let collection = event.get_document("ns").ok()?.get_str("coll").ok()?;
    let id = text(event.get_document("documentKey").ok()?, "_id")?;
    let full = || event.get_document("fullDocument").ok();
    let update = || event.get_document("updateDescription").ok();
    let what = match (collection, event.get_str("operationType").ok()?) {
        ("rooms", "insert") => room_opened(id, full()?),
        ("rooms", "update") => room_updated(id, update()?.get_document("updatedFields").ok()?)?,
        ("rooms", "replace") => room_updated(id, full()?)?,
        ("rooms", "delete") => Change::RoomDeleted { room: id },
        ("messages", "insert") => message_stored(id, full()?)?,
        ("messages", "update") => {
            let liked = update()?.get_document("updatedFields").ok()?.get_bool("liked").unwrap_or(false);
            liked.then_some(Change::MessageLiked { id })?
        }
        ("messages", "delete") => Change::MessageErased { id },
        ("users", "insert" | "replace") => {
            let connected = full()?.get("connection").is_some_and(is_open);
            Change::UserChanged { user: id, state: text(full()?, "state"), connected: Some(connected) }
        }
        ("users", "update") => user_updated(id, update()?)?,
        ("users", "delete") => Change::UserDeleted { user: id },
        _ => return None,
    };
    Some(Fact { at, what })
}

fn room_opened(room: String, document: &Document) -> Change {
    let members = document.get_array("members").map(Vec::as_slice).unwrap_or_default();
    let member = |member: &Bson| {
        let member = member.as_document()?;
        Some((text(member, "user")?, text(member, "queue")?))
    };
    Change::RoomOpened { room, members: members.iter().filter_map(member).collect() }
}

fn room_updated(room: String, fields: &Document) -> Option<Change> {
    if fields.get_bool("open").is_ok_and(|open| !open) {
        return Some(Change::RoomClosed { room });
    }
    if fields.get_bool("started").unwrap_or(false) {
        return Some(Change::RoomStarted { room });
    }
    fields.contains_key("announced_at").then_some(Change::RoomAnnounced { room })
}

/// An update writes the whole register or single fields of it, and removes it with other fields.
fn user_updated(user: String, update: &Document) -> Option<Change> {
    let fields = update.get_document("updatedFields").ok()?;
    let removed = update.get_array("removedFields").is_ok_and(|fields| fields.contains(&Bson::from("connection")));
    let connected = match (fields.get("connection"), fields.get_str("connection.state")) {
        (Some(register), _) => Some(is_open(register)),
        (None, Ok(state)) => Some(state == "open"),
        (None, Err(_)) => removed.then_some(false),
    };
    let state = text(fields, "state");
    (state.is_some() || connected.is_some()).then_some(Change::UserChanged { user, state, connected })
}

fn is_open(register: &Bson) -> bool {
    register.as_document().and_then(|register| register.get_str("state").ok()) == Some("open")
}

fn message_stored(id: String, document: &Document) -> Option<Change> {
    let seq = document.get_i64("seq").ok().or_else(|| document.get_i32("seq").ok().map(i64::from))?;
    Some(Change::MessageStored {
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

#[cfg(test)]
mod tests {
    use mongodb::bson::{DateTime, Document, doc};

    use super::{Change, read};

    fn of_user(operation: &str, rest: Document) -> Option<Change> {
        let mut event = doc! {
            "wallTime": DateTime::from_millis(7),
            "ns": { "coll": "users" },
            "documentKey": { "_id": "ann" },
            "operationType": operation,
        };
        event.extend(rest);
        read(&event).map(|fact| fact.what)
    }

    fn changed(state: Option<&str>, connected: Option<bool>) -> Option<Change> {
        Some(Change::UserChanged { user: "ann".to_owned(), state: state.map(ToOwned::to_owned), connected })
    }

    #[test]
    fn a_users_state_and_register_are_read_from_whole_documents_and_from_updates() {
        let whole = doc! { "fullDocument": { "state": "waiting", "connection": { "state": "open", "counter": 1 } } };
        assert_eq!(of_user("replace", whole), changed(Some("waiting"), Some(true)));
        let without = doc! { "fullDocument": { "state": "idle", "connection": null } };
        assert_eq!(of_user("insert", without), changed(Some("idle"), Some(false)));
        let bound = doc! { "updateDescription": { "updatedFields": { "state": "paired", "room": "r" } } };
        assert_eq!(of_user("update", bound), changed(Some("paired"), None));
        let closed = doc! { "updateDescription": { "updatedFields": { "connection.state": "lost" } } };
        assert_eq!(of_user("update", closed), changed(None, Some(false)));
        let newer = doc! { "updateDescription": { "updatedFields": { "connection": { "state": "open" } } } };
        assert_eq!(of_user("update", newer), changed(None, Some(true)));
        let moved = doc! { "updateDescription": { "updatedFields": { "queue": "talk" } } };
        assert_eq!(of_user("update", moved), None);
        assert_eq!(of_user("delete", doc! {}), Some(Change::UserDeleted { user: "ann".to_owned() }));
    }
}
