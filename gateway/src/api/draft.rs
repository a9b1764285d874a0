//! A message as a client wrote it: its bounds are checked here, for REST and socket alike.

use crate::api::error::ApiError;

/// The longest text, in bytes of UTF-8; about five pages.
const MAX_CONTENT: usize = 16 * 1024;
/// The longest nonce. The clients' are 16 letters and digits, or a UUID.
const MAX_NONCE: usize = 64;

/// A message that is not stored yet.
#[derive(Debug)]
pub(crate) struct Draft {
    nonce: String,
    content: String,
}

impl Draft {
    /// Checks nonce and text.
    ///
    /// # Errors
    /// `BadRequest`, with the bound that is exceeded.
    pub(crate) fn new(nonce: String, content: String) -> Result<Self, ApiError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if nonce.is_empty() || nonce.len() > MAX_NONCE || !nonce.chars().all(fits) {
            return Err(ApiError::bad(format!("a nonce is 1 to {MAX_NONCE} letters, digits, '-' or '_'")));
        }
        if content.is_empty() {
            return Err(ApiError::bad("the message is empty"));
        }
        if content.len() > MAX_CONTENT {
            return Err(ApiError::bad(format!("the message is longer than {MAX_CONTENT} bytes")));
        }
        Ok(Self { nonce, content })
    }

    /// Nonce and text.
    pub(crate) fn into_parts(self) -> (String, String) {
        (self.nonce, self.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_has_a_plain_nonce_and_a_text_within_its_bound() {
        for (nonce, content, good) in [
            ("n-1_B", "hello".to_owned(), true),
            ("n", "x".repeat(MAX_CONTENT), true),
            ("n", "x".repeat(MAX_CONTENT + 1), false),
            ("n", String::new(), false),
            ("", "hello".to_owned(), false),
            ("a.b", "hello".to_owned(), false),
            (&"n".repeat(MAX_NONCE + 1), "hello".to_owned(), false),
        ] {
            assert_eq!(Draft::new(nonce.to_owned(), content).is_ok(), good, "{nonce}");
        }
    }
}
