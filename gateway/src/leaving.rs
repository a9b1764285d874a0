//! The drain: who is here is asked to go to another gateway, one after the other, so that the others do not have
//! everybody at once. Each session first tells the matcher, then its connection alone is closed; the clients'
//! libraries come back by themselves, and the load balancer sends them elsewhere.

use crate::{alive::GOODBYES, connection::Doors};
use socketioxide::{extract::SocketRef, socket::Sid};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

/// The longest pause between two people: with few of them a drain is quicker than the configuration allows.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Who is here.
#[derive(Default)]
pub(crate) struct Present(Mutex<HashMap<Sid, Here>>);

/// A socket and its session.
pub(crate) struct Here {
    pub(crate) socket: SocketRef,
    pub(crate) session: JoinHandle<()>,
    /// Asks the session to end.
    pub(crate) leave: CancellationToken,
}

impl Present {
    pub(crate) fn enter(&self, here: Here) {
        self.all().insert(here.socket.id, here);
    }

    pub(crate) fn leave(&self, sid: Sid) {
        self.all().remove(&sid);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all().len()
    }

    /// Lets everybody go in even spacing over `spread`; answers whether all could tell the matcher in time.
    pub(crate) async fn let_go(&self, doors: &Doors, spread: Duration) -> bool {
        let mut leaving = JoinSet::new();
        // Twice: some were in the middle of their handshake.
        for spread in [spread, Duration::ZERO] {
            let everybody = std::mem::take(&mut *self.all());
            let count = u32::try_from(everybody.len()).unwrap_or(u32::MAX).max(1);
            let mut turn = interval((spread / count).clamp(Duration::from_millis(1), LONGEST_PAUSE));
            turn.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for here in everybody.into_values().filter(|here| !here.session.is_finished()) {
                turn.tick().await;
                leaving.spawn(let_go(here, doors.clone()));
            }
        }
        leaving.join_all().await.into_iter().all(|told| told)
    }

    // Nothing can panic while it is held.
    fn all(&self) -> MutexGuard<'_, HashMap<Sid, Here>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn let_go(here: Here, doors: Doors) -> bool {
    here.leave.cancel();
    let told = timeout(GOODBYES, here.session).await.is_ok();
    doors.close(&here.socket).await;
    told
}
