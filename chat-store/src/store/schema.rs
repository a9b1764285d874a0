//! The indexes of the collection `messages`, and what a failed insert means.

use mongodb::{
    IndexModel,
    bson::doc,
    error::{Error, ErrorKind},
    options::IndexOptions,
};
use proto::database::{DUPLICATE_KEY, is_state_change};
use std::time::Duration;

/// Why messages were not all stored. What came before the one that failed is stored, what came after is not.
#[derive(Debug)]
pub(crate) enum InsertError {
    /// The nonce, or the sequence in the room, of the message at this index was taken.
    Taken(usize),
    /// MongoDB does not accept the message at this index.
    Rejected(usize, String),
    /// MongoDB did not respond, or not in time.
    Unavailable(Error),
}

/// What the promises rest on: one message for a nonce, one message for a sequence, an end for each.
pub(super) fn indexes() -> [IndexModel; 3] {
    let unique = IndexOptions::builder().unique(true).build();
    let expire = IndexOptions::builder().expire_after(Duration::ZERO).build();
    let index = |keys, options| IndexModel::builder().keys(keys).options(options).build();
    [
        index(doc! {"room_id": 1, "author": 1, "nonce": 1}, unique.clone()),
        index(doc! {"room_id": 1, "seq": 1}, unique),
        index(doc! {"expires_at": 1}, expire),
    ]
}

/// Tells the failures of an insert apart.
pub(super) fn insert_error(error: Error) -> InsertError {
    let ErrorKind::InsertMany(failed) = &*error.kind else { return InsertError::Unavailable(error) };
    // Whether the majority has the others is then unknown, whatever else failed.
    if failed.write_concern_error.is_some() {
        return InsertError::Unavailable(error);
    }
    match failed.write_errors.as_deref() {
        Some([first, ..]) if first.code == DUPLICATE_KEY => InsertError::Taken(first.index),
        Some([first, ..]) if is_state_change(first.code) => InsertError::Unavailable(error),
        // The code only: the server's sentence may quote the document.
        Some([first, ..]) => InsertError::Rejected(first.index, format!("MongoDB write error {}", first.code)),
        _ => InsertError::Unavailable(error),
    }
}
