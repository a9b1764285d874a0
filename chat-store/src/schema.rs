//! How the collection `messages` is kept: indexes, concerns, and what its errors mean.

use mongodb::{
    IndexModel,
    bson::doc,
    error::{Error, ErrorKind},
    options::{
        Acknowledgment, CollectionOptions, IndexOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern,
    },
};
use std::time::Duration;

/// How long the majority may take to have a write in its journals.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// The code for making what is there already.
pub(crate) const NAMESPACE_EXISTS: i32 = 48;
const DUPLICATE_KEY: i32 = 11000;
/// The server steps down, stops or lost its connection: of no message's making.
const STATE_CHANGES: [i32; 12] = [6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436];

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

/// Nothing is told that could be rolled back: written to the journals of the majority, and, if
/// not said otherwise, read from what the majority has.
pub(crate) fn durable() -> CollectionOptions {
    let written = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(WRITE_TIMEOUT).build();
    CollectionOptions::builder()
        .write_concern(written)
        .read_concern(ReadConcern::majority())
        .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
        .build()
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
        Some([first, ..]) if STATE_CHANGES.contains(&first.code) => InsertError::Unavailable(error),
        // The code only: the server's sentence may quote the document.
        Some([first, ..]) => InsertError::Rejected(first.index, format!("MongoDB's write error {}", first.code)),
        _ => InsertError::Unavailable(error),
    }
}

/// Whether the server refused a command with this code.
pub(crate) fn is_command_error(error: &Error, code: i32) -> bool {
    matches!(&*error.kind, ErrorKind::Command(failed) if failed.code == code)
}
