//! What people did and saw, as they noted it themselves, and when which fault struck. The checker reads it
//! together with what the [`crate::witness`] saw in MongoDB.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Milliseconds since 1970, by the one clock of this machine.
pub type Ms = i64;

/// One thing that happened to somebody, or a fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Ms,
    /// To whom: a user id, or the name of a fault.
    pub who: String,
    /// What.
    pub what: Event,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Tries to connect: from now on the matcher may count them as there.
    Coming,
    /// Gave that attempt up; the gateway may have heard of it.
    Missed,
    /// A connection is there, and the gateway has said where they stand.
    Connected {
        /// The connection's own number.
        connection: u32,
        /// To which gateway, counted from 0.
        gateway: usize,
        /// What they were told of where they are: idle, waiting, room or over; nothing for an old client.
        state: String,
        /// The room, if they were told of one.
        room: Option<String>,
        /// The last sequence that they said they had seen.
        last_seq: Option<u64>,
        /// As one of the two old front-ends, which are told less, and say less of themselves.
        old: bool,
    },
    /// The connection is gone.
    Lost {
        /// Which.
        connection: u32,
        /// They did it themselves.
        cut: bool,
    },
    /// The gateway says that they wait.
    Queued {
        /// Where.
        queue: String,
    },
    /// Told of a match.
    Matched,
    /// Told that the partner vanished before it began.
    Returned,
    /// A message is on its way.
    Sent {
        /// Its nonce.
        nonce: String,
        /// The author's own count: 1, 2, 3, …
        number: u64,
        /// Sent for the first time, or again.
        first: bool,
    },
    /// The message is kept, they were told.
    Acknowledged {
        /// Its nonce.
        nonce: String,
        /// The author's own count.
        number: u64,
        /// In which room.
        room: String,
        /// At which place.
        seq: u64,
        /// On the first try.
        first: bool,
    },
    /// The message could not be kept, they were told, or nothing came in time.
    Refused {
        /// Its nonce.
        nonce: String,
        /// What they were told.
        answer: String,
        /// Which gateway was asked, counted from 0.
        gateway: usize,
        /// After how long, in milliseconds.
        after: Ms,
    },
    /// A message arrived.
    Received {
        /// On which connection.
        connection: u32,
        /// In which room.
        room: String,
        /// At which place.
        seq: u64,
        /// By whom.
        author: String,
        /// Its nonce.
        nonce: String,
        /// As part of what was missed, rather than live.
        missed: bool,
    },
    /// Told that the partner's connection is lost.
    PartnerLost,
    /// Told that the partner is there, or back.
    PartnerHere,
    /// Told that a newer connection speaks for them.
    Replaced,
    /// Told that the room is over.
    Ended,
    /// Asks to leave: from now on it may be over.
    Leaving,
    /// Left, and the gateway knows.
    Left,
    /// Will never come back, without a word.
    Vanished,
    /// A fault begins.
    FaultBegan {
        /// What it breaks: `gateway-1`, `chat-store-3`, `nats`, `mongodb`.
        target: String,
    },
    /// What it broke runs again.
    FaultOver,
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:>8}.{:03} {:.8} {:?}", self.at / 1000 % 100_000, self.at % 1000, self.who, self.what)
    }
}

/// Everything that was noted, in the order in which it was. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Vec<Entry>>>);

impl History {
    /// Notes something that happens now.
    pub fn note(&self, who: &str, what: Event) {
        self.note_ago(0, who, what);
    }

    /// Notes something that happened so many milliseconds ago.
    pub(crate) fn note_ago(&self, ago: Ms, who: &str, what: Event) {
        let entry = Entry { at: proto::bus::now_ms() - ago, who: who.to_owned(), what };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// All of it.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
