//! What the simulated clients did and received, as they recorded it themselves, and when each fault was active. The
//! checker reads it together with the changes that the [`crate::observe::witness`] read from MongoDB.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Milliseconds since 1970, by the one clock of this machine.
pub type Ms = i64;

/// One thing that happened to a user, or a fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Ms,
    /// A user id, or the name of a fault.
    pub who: String,
    /// What.
    pub what: Event,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Opens a connection: from now on the matcher may regard the user as connected.
    Connecting,
    /// Gave that attempt up; the gateway may have received it.
    ConnectFailed,
    /// The connection is open, and a current client knows its state.
    Connected {
        /// The connection's number, unique in a run.
        connection: u32,
        /// Which gateway, counted from 0.
        gateway: usize,
        /// The state in `resumed`: idle, waiting, room or over; empty when there was none.
        state: String,
        /// The room in `resumed`.
        room: Option<String>,
        /// The last room sequence that the client had received, as it sent it in the handshake.
        last_seq: Option<u64>,
        /// One of the two legacy clients, which are sent less and send less.
        legacy: bool,
    },
    /// From now on the packets of this connection are dropped: nothing is read or written, and nothing is closed.
    Silenced {
        /// Which.
        connection: u32,
    },
    /// The connection is closed.
    Disconnected {
        /// Which.
        connection: u32,
        /// The client closed it.
        by_client: bool,
    },
    /// Requests a place in a queue: from now on the user may wait.
    QueueRequested,
    /// The request was acknowledged.
    Queued {
        /// Which queue.
        queue: String,
    },
    /// Received `queue_complete`.
    Matched,
    /// Received `queue_returned`: the partner vanished before the conversation started.
    Requeued,
    /// A message is sent.
    Sent {
        /// Its nonce.
        nonce: String,
        /// The author's own count: 1, 2, 3, …
        number: u64,
        /// Sent for the first time, or again.
        first: bool,
    },
    /// The message was acknowledged.
    Acknowledged {
        /// Its nonce.
        nonce: String,
        /// The author's own count.
        number: u64,
        /// In which room.
        room: String,
        /// At which room sequence.
        seq: u64,
        /// On the first try.
        first: bool,
    },
    /// A message or a like was refused, or no acknowledgement came in time.
    Refused {
        /// The nonce of the message, or the id of the liked message.
        nonce: String,
        /// The code or status of the reply.
        reply: String,
        /// Which gateway, counted from 0.
        gateway: usize,
        /// After how long, in milliseconds.
        after: Ms,
    },
    /// A message was received.
    Received {
        /// On which connection.
        connection: u32,
        /// In which room.
        room: String,
        /// At which room sequence.
        seq: u64,
        /// By whom.
        author: String,
        /// Its nonce.
        nonce: String,
        /// As part of `resumed`, rather than live.
        replayed: bool,
    },
    /// A like was acknowledged.
    Liked {
        /// The id of the message.
        message: String,
    },
    /// Received `message_liked`.
    LikeReceived {
        /// The id of the message.
        message: String,
    },
    /// Received `user_disconnected`.
    PartnerLost,
    /// Received `user_connected`.
    PartnerConnected,
    /// Received `replaced`: a newer connection speaks for this user.
    Replaced {
        /// On which connection.
        connection: u32,
    },
    /// Received `room_ended`.
    RoomEnded,
    /// Says goodbye: `leave_room`, or a legacy client's namespace disconnect.
    Leaving,
    /// The goodbye was acknowledged.
    Left,
    /// Closed the page, or gave up: does not come back.
    Vanished,
    /// A fault starts.
    FaultStarted {
        /// What it breaks: `gateway-1`, `chat-store-3`, `nats`, `mongodb`.
        target: String,
    },
    /// What it broke runs again.
    FaultEnded,
    /// Reconciliation closed connections that no gateway served.
    OrphansRemoved {
        /// How many.
        count: u64,
    },
}

impl Event {
    /// Whether it is about the system rather than about a user.
    #[must_use]
    pub fn is_of_system(&self) -> bool {
        matches!(self, Self::FaultStarted { .. } | Self::FaultEnded | Self::OrphansRemoved { .. })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:>8}.{:03} {:.8} {:?}", self.at / 1000 % 100_000, self.at % 1000, self.who, self.what)
    }
}

/// All entries, in the order in which they were recorded. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Vec<Entry>>>);

impl History {
    /// Records something that happens now.
    pub fn note(&self, who: &str, what: Event) {
        self.note_ago(0, who, what);
    }

    /// Records something that happened so many milliseconds ago.
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
