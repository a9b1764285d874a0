//! What a client says, in its order. While its session waits for the bus, what is said waits for its turn, and whoever
//! wants an answer has one in time.

use crate::{
    error::ApiError,
    names::Said,
    session::{acknowledge, until},
    socket::Incoming,
};
use std::{collections::VecDeque, time::Duration};
use tokio::sync::mpsc;

/// Events of one socket that may wait for their turn, and as many while it waits for the bus; an old client sends a
/// handful at once.
pub(crate) const DEPTH: usize = 64;

/// The events of one socket.
pub(crate) struct Inbox {
    events: mpsc::Receiver<Box<Incoming>>,
    held: VecDeque<Box<Incoming>>,
    patience: Duration,
}

impl Inbox {
    /// Whoever wants an answer waits for `patience` from when it came.
    pub(crate) fn new(events: mpsc::Receiver<Box<Incoming>>, patience: Duration) -> Self {
        Self { events, held: VecDeque::new(), patience }
    }

    /// The next one; nothing when the socket is gone and all was handled.
    pub(crate) async fn next(&mut self) -> Option<Box<Incoming>> {
        match self.held.pop_front() {
            Some(held) => Some(held),
            None => self.events.recv().await,
        }
    }

    /// Does something that may have to wait, for instance for a matcher without a database.
    pub(crate) async fn hold_during<T>(&mut self, doing: impl Future<Output = T>) -> T {
        tokio::pin!(doing);
        loop {
            let asks = self.held.iter().position(|incoming| wants_an_answer(incoming));
            let too_late = asks.map(|asks| self.held[asks].arrived + self.patience);
            tokio::select! {
                biased;
                done = &mut doing => return done,
                () = until(too_late) => {
                    if let Some(incoming) = asks.and_then(|asks| self.held.remove(asks)) {
                        acknowledge::<()>(incoming.ack, Err(ApiError::Unavailable));
                    }
                }
                Some(incoming) = self.events.recv(), if self.held.len() < DEPTH => self.held.push_back(incoming),
            }
        }
    }
}

/// What old clients say has no answer, and is not said again; and leaving is meant for good.
fn wants_an_answer(incoming: &Incoming) -> bool {
    matches!(incoming.event.parse(), Ok(Said::RequestQueue | Said::SendMessage | Said::LikeMessage | Said::Typing))
}
