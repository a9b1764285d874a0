//! What the errors of MongoDB mean.

use mongodb::error::{Error, ErrorKind, RETRYABLE_WRITE_ERROR, WriteFailure};

/// MongoDB's code for a key that exists already.
pub const DUPLICATE_KEY: i32 = 11000;
/// The server steps down, stops, starts or lost its connection: the driver's codes for reads that it retries.
const STATE_CHANGES: [i32; 13] = [6, 7, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436];

/// Credentials or rights are missing: a fault of the configuration, and no command is dead-lettered because of it.
const UNAUTHORIZED: [i32; 2] = [13, 18];

/// Whether MongoDB is unavailable, elects a primary, or refuses this service, or the majority is too slow: the same
/// operation will work later.
#[must_use]
pub fn is_transient(error: &Error) -> bool {
    let unreachable = match error.kind.as_ref() {
        ErrorKind::Io(_) | ErrorKind::ServerSelection { .. } | ErrorKind::ConnectionPoolCleared { .. } => true,
        ErrorKind::Authentication { .. } => true,
        ErrorKind::Command(command) => is_state_change(command.code) || UNAUTHORIZED.contains(&command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => is_state_change(write.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
        ErrorKind::InsertMany(many) => {
            let mut writes = many.write_errors.iter().flatten();
            many.write_concern_error.is_some() || writes.any(|write| is_state_change(write.code))
        }
        _ => false,
    };
    unreachable || error.contains_label(RETRYABLE_WRITE_ERROR)
}

/// Whether a server that steps down, stops or starts refuses with this code.
#[must_use]
pub fn is_state_change(code: i32) -> bool {
    STATE_CHANGES.contains(&code)
}

/// Whether a command was refused with this code.
pub(super) fn is_command_error(error: &Error, code: i32) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(failed) if failed.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::doc;

    fn refused(code: i32) -> Error {
        let refusal = doc! {"code": code, "codeName": "Name", "errmsg": "a sentence"};
        ErrorKind::Command(mongodb::bson::deserialize_from_document(refusal).expect("a refusal")).into()
    }

    #[test]
    fn a_change_of_the_servers_state_is_transient_and_a_refusal_is_not() {
        for (code, transient) in
            [(10107, true), (11600, true), (134, true), (13, true), (121, false), (11000, false), (48, false)]
        {
            assert_eq!(is_transient(&refused(code)), transient, "{code}");
        }
        assert!(is_transient(&std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()));
    }
}
