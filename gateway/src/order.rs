//! Messages of one author are published in the order in which their requests arrived, also
//! when several are under way at once (an old client posts up to five in parallel).

use proto::UserId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// A lane for each author who sends something right now; whoever comes first goes first.
#[derive(Default)]
pub(crate) struct Lanes(Mutex<HashMap<UserId, Arc<Turn<()>>>>);

/// An author's turn, until it is dropped.
pub(crate) struct Held<'a> {
    lanes: &'a Lanes,
    author: UserId,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Lanes {
    /// Waits for this author's turn.
    pub(crate) async fn turn(&self, author: UserId) -> Held<'_> {
        let lane = self.lock().entry(author).or_default().clone();
        Held { lanes: self, author, guard: Some(lane.lock_owned().await) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Arc<Turn<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut lanes = self.lanes.lock();
        // Nobody holds it or waits for it.
        if lanes.get(&self.author).is_some_and(|lane| Arc::strong_count(lane) == 1) {
            lanes.remove(&self.author);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_in_the_order_of_asking_and_leave_nothing() {
        let (lanes, author) = (Lanes::default(), UserId::new());
        let first = lanes.turn(author).await;
        let order = Mutex::new(Vec::new());
        let go = async |n| {
            let _turn = lanes.turn(author).await;
            order.lock().expect("free").push(n);
        };
        // Polled in this order; they wait for the first, which goes last here.
        tokio::join!(go(1), go(2), go(3), async { drop(first) });
        assert_eq!(*order.lock().expect("free"), [1, 2, 3]);
        assert!(lanes.lock().is_empty());
    }
}
