//! How the collection `messages` is kept: its indexes, and what a failed insert means.

use mongodb::{
    IndexModel,
    bson::doc,
    error::{Error, ErrorKind},
    options::IndexOptions,
};
use proto::database::{DUPLICATE_KEY, is_state_change};
use std::time::Duration;

/// Why messages were not all stored. What came before the one that failed is stored, what came
/// after is not.
#[derive(Debug)]
pub(crate) enum InsertError {
    /// The nonce, or the place in the room, of the message at this place was taken.
    Taken(usize),
    /// MongoDB does not take the message at this place.
    Rejected(usize, String),
    /// MongoDB did not answer, or not in time.
    Unavailable(Error),
}

/// What the promises stand on: one message for a nonce, one message for a place, an end for all.
pub(crate) fn indexes() -> [IndexModel; 3] {
    let unique = IndexOptions::builder().unique(true).build();
    let expire = IndexOptions::builder().expire_after(Duration::ZERO).build();
    let index = |keys, options| IndexModel::builder().keys(keys).options(options).build();
    [
        index(doc! {"room_id": 1, "author": 1, "nonce": 1}, unique.clone()),
        index(doc! {"room_id": 1, "seq": 1}, unique),
        index(doc! {"expires_at": 1}, expire),
    ]
}

/// Tells apart what to do about a failed insert.
pub(crate) fn why_not_inserted(error: Error) -> InsertError {
    let ErrorKind::InsertMany(failed) = &*error.kind else { return InsertError::Unavailable(error) };
    // Whether the majority has the others is then unknown, whatever else went wrong.
    if failed.write_concern_error.is_some() {
        return InsertError::Unavailable(error);
    }
    match failed.write_errors.as_deref() {
        Some([first, ..]) if first.code == DUPLICATE_KEY => InsertError::Taken(first.index),
        Some([first, ..]) if is_state_change(first.code) => InsertError::Unavailable(error),
        // The code only: the server's sentence may quote the document.
        Some([first, ..]) => InsertError::Rejected(first.index, format!("MongoDB's write error {}", first.code)),
        _ => InsertError::Unavailable(error),
    }
}
