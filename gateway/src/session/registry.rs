//! All sessions of this gateway, and its drain: each is let go, one after the other, so that the other gateways do not
//! have all clients at once. A session first has the matchers know; then its transport alone is closed, the client's
//! library comes back by itself, and the load balancer sends it elsewhere.

use crate::http::transport_closer::TransportCloser;
use parking_lot::Mutex;
use socketioxide::{extract::SocketRef, socket::Sid};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

/// How long each step of a drain may take.
pub(crate) const DRAIN_STEP: Duration = Duration::from_secs(4);
/// The longest pause between two clients: with few of them a drain is quicker than the configuration allows.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// The sessions, by socket.
#[derive(Clone, Default)]
pub(crate) struct SessionRegistry(Arc<Mutex<HashMap<Sid, Handle>>>);

/// How to let a session go.
struct Handle {
    socket: SocketRef,
    leave: CancellationToken,
    ended: CancellationToken,
}

/// A session's entry, until it is dropped, also by a panic.
pub(crate) struct SessionGuard {
    registry: SessionRegistry,
    sid: Sid,
    leave: CancellationToken,
    ended: CancellationToken,
}

impl SessionRegistry {
    /// Registers the session of a socket before its task begins.
    pub(crate) fn register(&self, socket: &SocketRef) -> SessionGuard {
        let (sid, leave, ended) = (socket.id, CancellationToken::new(), CancellationToken::new());
        let handle = Handle { socket: socket.clone(), leave: leave.clone(), ended: ended.clone() };
        self.0.lock().insert(sid, handle);
        SessionGuard { registry: self.clone(), sid, leave, ended }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().len()
    }

    /// Lets all go in even spacing over `spread`; whether the matchers knew of each in time.
    pub(crate) async fn drain(&self, closer: &Arc<TransportCloser>, spread: Duration) -> bool {
        let mut leaving = JoinSet::new();
        // Twice: some were in the middle of their handshake.
        for spread in [spread, Duration::ZERO] {
            let all = std::mem::take(&mut *self.0.lock());
            let count = u32::try_from(all.len()).unwrap_or(u32::MAX).max(1);
            let mut turns = interval((spread / count).clamp(Duration::from_millis(1), LONGEST_PAUSE));
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for handle in all.into_values().filter(|handle| !handle.ended.is_cancelled()) {
                turns.tick().await;
                leaving.spawn(let_go(handle, closer.clone()));
            }
        }
        leaving.join_all().await.into_iter().all(|known| known)
    }
}

impl SessionGuard {
    /// Cancelled when the session has to end, since the gateway drains.
    pub(crate) fn leave(&self) -> CancellationToken {
        self.leave.clone()
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.registry.0.lock().remove(&self.sid);
        self.ended.cancel();
    }
}

async fn let_go(handle: Handle, closer: Arc<TransportCloser>) -> bool {
    handle.leave.cancel();
    let known = timeout(DRAIN_STEP, handle.ended.cancelled()).await.is_ok();
    closer.close(&handle.socket).await;
    known
}
