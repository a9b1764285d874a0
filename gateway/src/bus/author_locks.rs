//! A lock for each author: their messages are published in the order in which their requests arrived, also when several
//! are in flight (a legacy client posts up to five in parallel).

use parking_lot::Mutex;
use proto::UserId;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{Mutex as AuthorLock, OwnedMutexGuard};

/// The locks of the authors who send right now; fair, so that the first request goes first.
#[derive(Default)]
pub(crate) struct AuthorLocks(Mutex<HashMap<UserId, Arc<AuthorLock<()>>>>);

/// An author's lock, until it is dropped.
pub(crate) struct AuthorGuard<'a> {
    locks: &'a AuthorLocks,
    author: UserId,
    guard: Option<OwnedMutexGuard<()>>,
}

impl AuthorLocks {
    /// Waits for this author's lock.
    pub(crate) async fn lock(&self, author: UserId) -> AuthorGuard<'_> {
        let lock = self.0.lock().entry(author).or_default().clone();
        AuthorGuard { locks: self, author, guard: Some(lock.lock_owned().await) }
    }
}

impl Drop for AuthorGuard<'_> {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut locks = self.locks.0.lock();
        // Neither held nor waited for.
        if locks.get(&self.author).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.author);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_authors_lock_is_given_in_the_order_of_requests_and_nothing_is_left() {
        let (locks, author) = (AuthorLocks::default(), UserId::new());
        let first = locks.lock(author).await;
        let order = Mutex::new(Vec::new());
        let go = async |n| {
            let _lock = locks.lock(author).await;
            order.lock().push(n);
        };
        // Polled in this order; they wait for the first, which is dropped last.
        tokio::join!(go(1), go(2), go(3), async { drop(first) });
        assert_eq!(*order.lock(), [1, 2, 3]);
        assert!(locks.0.lock().is_empty());
    }
}
