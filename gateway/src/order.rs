//! Messages of one author are published in the order in which their requests arrived, also
//! when several are under way at once (an old client posts up to five in parallel).

use proto::UserId;
use tokio::sync::{Mutex, MutexGuard};

/// Enough that two authors seldom wait for each other.
const LANES: usize = 256;

/// One author at a time in each; whoever comes first goes first.
pub(crate) struct Lanes(Vec<Mutex<()>>);

impl Lanes {
    pub(crate) fn new() -> Self {
        Self((0..LANES).map(|_| Mutex::new(())).collect())
    }

    /// This author's turn, until it is dropped.
    pub(crate) async fn turn(&self, author: UserId) -> MutexGuard<'_, ()> {
        let lane = usize::try_from(author.as_u128() % LANES as u128).unwrap_or(0);
        self.0[lane].lock().await
    }
}
