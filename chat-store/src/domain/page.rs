//! How long a page of history is: bounded by the bytes of its texts, and by a number of messages, so that it stays below
//! the bus's limit of 1 MB whatever the texts are.

use proto::{
    Message,
    notification::{HISTORY_PAGE_BYTES, History},
};

/// The most messages of one page. Each has up to 300 bytes around its text.
pub(crate) const PAGE_MESSAGES: usize = 500;

/// A page that grows.
#[derive(Default)]
pub(crate) struct Page {
    messages: Vec<Message>,
    bytes: usize,
    more: bool,
}

impl Page {
    /// Adds the next message, if the page has room for it; else there is more. The first one always fits.
    pub(crate) fn add(&mut self, message: Message) -> bool {
        let bytes = self.bytes + message.content.len();
        let full = bytes > HISTORY_PAGE_BYTES || self.messages.len() == PAGE_MESSAGES;
        self.more = full && !self.messages.is_empty();
        if !self.more {
            self.bytes = bytes;
            self.messages.push(message);
        }
        !self.more
    }

    /// The page as it is published.
    pub(crate) fn finish(self) -> History {
        History { messages: self.messages, more: self.more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::{MessageId, Reply, RoomId, UserId};

    /// NATS' limit for a message, in bytes.
    const LIMIT: usize = 1024 * 1024;
    /// The longest text and nonce that a gateway accepts.
    const TEXT: usize = 16 * 1024;
    const NONCE: usize = 64;

    fn message(seq: u64, content: String) -> Message {
        let (id, room_id, author) = (MessageId::new(), RoomId::new(), UserId::new());
        let (timestamp, nonce) = (1_764_234_271.123, "n".repeat(NONCE));
        Message { id, room_id, author, timestamp, nonce, content, liked: false, seq }
    }

    fn page(content: &str) -> History {
        let mut page = Page::default();
        (1..).map(|seq| message(seq, content.to_owned())).find(|message| !page.add(message.clone()));
        page.finish()
    }

    fn json(history: &History) -> usize {
        serde_json::to_vec(&Reply::Ok(history)).expect("JSON").len()
    }

    #[test]
    fn a_page_of_the_worst_texts_fits_the_bus() {
        // JSON makes six bytes of a control character.
        for length in [1, 100, HISTORY_PAGE_BYTES / PAGE_MESSAGES, 300, 1000, TEXT - 1, TEXT] {
            let history = page(&"\u{1}".repeat(length));
            assert!(json(&history) < LIMIT, "texts of {length} bytes: {} bytes of JSON", json(&history));
            assert!(history.more, "the page ends before the room");
        }
    }

    #[test]
    fn a_page_is_filled_up_to_its_limits() {
        assert_eq!(page("").messages.len(), PAGE_MESSAGES);
        assert_eq!(page(&"x".repeat(TEXT)).messages.len(), HISTORY_PAGE_BYTES / TEXT);
        assert_eq!(page(&"x".repeat(HISTORY_PAGE_BYTES + 1)).messages.len(), 1, "a longer one goes alone");
    }

    #[test]
    fn the_last_page_has_no_more() {
        let mut page = Page::default();
        assert!(page.add(message(1, "only".to_owned())));
        assert!(!page.finish().more);
        assert!(!Page::default().finish().more);
    }
}
