//! The connections that this gateway serves: whom each speaks for, by which stamp, and in which room. An entry is made
//! before anything of it is published, and removed when its guard is dropped, also by a panic of its session: what the
//! matcher compares its registers with is what is really served.

use crate::bus::backend::Membership;
use parking_lot::RwLock;
use proto::{ConnectionStamp, UserId, presence::ServedConnection};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;

/// The served connections, by user.
#[derive(Clone, Default)]
pub(crate) struct ServedRegistry(Arc<Shared>);

#[derive(Default)]
struct Shared {
    users: RwLock<HashMap<UserId, Vec<Entry>>>,
    next: AtomicU64,
}

/// One connection. A user has several while one of them is being superseded.
struct Entry {
    id: u64,
    stamp: ConnectionStamp,
    membership: Option<Membership>,
    resync: Arc<Notify>,
}

impl ServedRegistry {
    /// Registers a connection.
    pub(crate) fn register(&self, user: UserId, stamp: ConnectionStamp) -> ServedGuard {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let resync = Arc::<Notify>::default();
        let entry = Entry { id, stamp, membership: None, resync: resync.clone() };
        self.0.users.write().entry(user).or_default().push(entry);
        ServedGuard { registry: self.clone(), user, id, membership: None, resync }
    }

    /// The room of a user, as the newest of their connections here knows it.
    pub(crate) fn membership(&self, user: UserId) -> Option<Membership> {
        let users = self.0.users.read();
        let known = users.get(&user)?.iter().filter(|entry| entry.membership.is_some());
        known.max_by(|one, other| one.stamp.cmp(&other.stamp))?.membership
    }

    /// How many users with a connection here are in a room.
    pub(crate) fn in_rooms(&self) -> usize {
        let users = self.0.users.read();
        users.values().filter(|entries| entries.iter().any(|entry| entry.membership.is_some())).count()
    }

    /// All connections, in any order.
    pub(crate) fn list(&self) -> Vec<ServedConnection> {
        let users = self.0.users.read();
        let all = users.iter().flat_map(|(user, entries)| entries.iter().map(|entry| (*user, &entry.stamp)));
        all.map(|(user, stamp)| ServedConnection { user, opened_at_ms: stamp.opened_at_ms, counter: stamp.counter })
            .collect()
    }

    /// Has the sessions of these users fetch their state; how many sessions there are.
    pub(crate) fn resync(&self, of: &[UserId]) -> usize {
        let users = self.0.users.read();
        of.iter().filter_map(|user| users.get(user)).flatten().map(|entry| entry.resync.notify_one()).count()
    }

    /// Has all sessions fetch their state; how many there are.
    pub(crate) fn resync_all(&self) -> usize {
        self.0.users.read().values().flatten().map(|entry| entry.resync.notify_one()).count()
    }
}

/// The entry of one connection, until it is dropped.
pub(crate) struct ServedGuard {
    registry: ServedRegistry,
    user: UserId,
    id: u64,
    membership: Option<Membership>,
    resync: Arc<Notify>,
}

impl ServedGuard {
    /// Changes its stamp, before that is published.
    pub(crate) fn restamp(&self, stamp: ConnectionStamp) {
        self.update(|entry| entry.stamp = stamp);
    }

    /// Notes the room that its user is in.
    pub(crate) fn set_membership(&mut self, membership: Option<Membership>) {
        if self.membership != membership {
            self.membership = membership;
            self.update(|entry| entry.membership = membership);
        }
    }

    /// Has its own session fetch its user's state.
    pub(crate) fn request_resync(&self) {
        self.resync.notify_one();
    }

    /// Waits until the session has to fetch its user's state.
    pub(crate) async fn resync_requested(&self) {
        self.resync.notified().await;
    }

    fn update(&self, change: impl FnOnce(&mut Entry)) {
        let mut users = self.registry.0.users.write();
        if let Some(entry) = users.get_mut(&self.user).and_then(|all| all.iter_mut().find(|entry| entry.id == self.id))
        {
            change(entry);
        }
    }
}

impl Drop for ServedGuard {
    fn drop(&mut self) {
        let mut users = self.registry.0.users.write();
        if let Some(entries) = users.get_mut(&self.user) {
            entries.retain(|entry| entry.id != self.id);
            if entries.is_empty() {
                users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use proto::RoomId;

    fn stamp(counter: u64) -> ConnectionStamp {
        ConnectionStamp { opened_at_ms: 1, gateway: "a".parse().expect("an id"), counter }
    }

    fn counters(registry: &ServedRegistry) -> Vec<u64> {
        let mut counters: Vec<_> = registry.list().iter().map(|served| served.counter).collect();
        counters.sort_unstable();
        counters
    }

    #[test]
    fn a_connection_is_listed_by_its_latest_stamp_until_its_guard_is_dropped() {
        let (registry, user) = (ServedRegistry::default(), UserId::new());
        let (first, second) = (registry.register(user, stamp(1)), registry.register(user, stamp(2)));
        assert_eq!(counters(&registry), [1, 2]);
        first.restamp(stamp(3));
        assert_eq!(counters(&registry), [2, 3]);
        drop(first);
        assert_eq!(counters(&registry), [2]);
        drop(second);
        assert!(registry.0.users.read().is_empty());
    }

    #[tokio::test]
    async fn a_session_that_panics_is_not_served_any_more() {
        let registry = ServedRegistry::default();
        let guard = registry.register(UserId::new(), stamp(1));
        let session = tokio::spawn(async move {
            let _guard = guard;
            panic!("on purpose");
        });
        assert!(session.await.is_err());
        assert!(registry.list().is_empty());
    }

    #[test]
    fn the_newest_connection_says_in_which_room_a_user_is() {
        let (registry, user) = (ServedRegistry::default(), UserId::new());
        let membership = || Some(Membership { room: RoomId::new(), partner: UserId::new() });
        let (old, new) = (membership(), membership());
        let (mut newer, mut older) = (registry.register(user, stamp(2)), registry.register(user, stamp(1)));
        newer.set_membership(new);
        older.set_membership(old);
        assert_eq!((registry.membership(user), registry.in_rooms()), (new, 1));
        newer.set_membership(None);
        assert_eq!(registry.membership(user), old);
        drop(older);
        assert_eq!((registry.membership(user), registry.in_rooms()), (None, 0));
    }

    #[test]
    fn a_resync_reaches_the_sessions_of_the_users_that_it_names_once() {
        let (registry, user) = (ServedRegistry::default(), UserId::new());
        let (named, other) = (registry.register(user, stamp(1)), registry.register(UserId::new(), stamp(2)));
        assert_eq!(registry.resync(&[user, UserId::new()]), 1);
        assert_eq!(named.resync_requested().now_or_never(), Some(()));
        assert_eq!(named.resync_requested().now_or_never(), None);
        assert_eq!(other.resync_requested().now_or_never(), None);
        assert_eq!(registry.resync_all(), 2);
    }
}
