//! What a session does when something may have been missed: it looks at the state again, says again that it is here,
//! and asks again for a place in the queue that was lost. None of it gives up before the socket is gone.

use crate::{
    error::ApiError,
    identity::Connected,
    session::{Session, Stay},
    state::{Resync, Shared},
};
use proto::{Place, Queue, UserId, UserView};
use std::{cmp::Ordering, time::Duration};
use tokio::time::Instant;

/// How soon to try again what the bus did not answer.
pub(crate) const RETRY: Duration = Duration::from_millis(500);
/// How soon a gateway takes back what it has said of a socket that was gone when that was heard: it notices in
/// milliseconds, publishes again after 500 ms, and the matcher applies that.
pub(crate) const TAKEN_BACK: Duration = Duration::from_millis(1_500);
/// Over how many milliseconds the sessions of a gateway spread their second looks.
const SPREAD_MS: u128 = 500;

/// Waits before the next attempt. After a standstill of the whole process timers are due before anything is heard of
/// what came meanwhile: another pause lets a session hear that its client has gone, which may be elsewhere by now.
pub(crate) async fn pause() {
    let since = Instant::now();
    tokio::time::sleep(RETRY).await;
    if since.elapsed() > 2 * RETRY {
        tokio::time::sleep(RETRY).await;
    }
}

impl Session {
    /// Tries until it works, or the socket is gone.
    pub(crate) async fn persist<T, F>(&self, attempt: impl Fn(Shared) -> F + Send) -> Option<T>
    where
        F: Future<Output = Option<T>> + Send,
    {
        let (closed, leave) = (self.closed.token.clone(), self.leave.clone());
        loop {
            tokio::select! {
                done = attempt(self.app.clone()) => if done.is_some() { return done },
                () = closed.cancelled() => return None,
                () = leave.cancelled() => return None,
            }
            pause().await;
        }
    }

    /// Looks at the state again, as everybody on this gateway does now.
    pub(crate) async fn look_again(&mut self, why: Resync) {
        let Some(user) = self.who.as_ref().map(|who| who.user) else { return };
        tracing::debug!(user.id = %user, ?why, "looks at the state again");
        let spread = Duration::from_millis(u64::try_from(user.as_u128() % SPREAD_MS).unwrap_or(0));
        tokio::time::sleep(spread).await;
        self.look().await;
    }

    /// Looks at the state, and acts on what is not as it was thought to be.
    pub(crate) async fn look(&mut self) {
        self.look_at = None;
        let Some((user, epoch)) = self.who.as_ref().map(|who| (who.user, who.epoch)) else { return };
        let Some(view) = self.stands(user).await else { return };
        if view.epoch <= epoch
            && let Some(who) = &mut self.who
        {
            who.outrun = None;
        }
        match view.epoch.cmp(&epoch) {
            Ordering::Equal => self.settle(view).await,
            // The matcher thinks that this connection is gone.
            Ordering::Less => self.reconnect(epoch).await,
            Ordering::Greater if epoch != 0 => self.give_way(),
            // Another socket has taken up a user whom this one has let go of.
            Ordering::Greater => {}
        }
    }

    /// A newer connection speaks for the user; or an attempt that was given up, of which a bus that hung has told late,
    /// and which is taken back at once. Whether it is still there is looked at again before this one falls silent.
    pub(crate) fn look_twice(&mut self) {
        let Some(who) = &mut self.who else { return };
        let since = *who.outrun.get_or_insert_with(Instant::now);
        self.look_at = Some(since + TAKEN_BACK);
    }

    /// The matcher knows a newer connection, just now.
    fn give_way(&mut self) {
        let outrun = self.who.as_ref().and_then(|who| who.outrun);
        if outrun.is_some_and(|since| since.elapsed() >= TAKEN_BACK) { self.fall_silent() } else { self.look_twice() }
    }

    /// Where the user stands. Only an answer counts: that none comes says nothing of the user.
    pub(crate) async fn stands(&self, user: UserId) -> Option<UserView> {
        let read = move |app: Shared| async move {
            match app.view(user).await {
                Err(ApiError::Unavailable) => None,
                answer => Some(answer),
            }
        };
        self.persist(read).await?.ok()
    }

    /// The matcher knows this connection, or none while this socket has let go of its user.
    async fn settle(&mut self, view: UserView) {
        // Queued since, although the event that says so was missed.
        if view.epoch == 0 && view.place != Place::Idle {
            return self.reconnect(0).await;
        }
        self.take_up(view.place).await;
    }

    /// Says again that this socket speaks for its user, unless a newer one does.
    pub(crate) async fn reconnect(&mut self, epoch: u64) {
        let mut connected = self.connect(Some(epoch).filter(|epoch| *epoch != 0)).await;
        if let (Connected::Refused, Some(user)) = (&connected, self.who.as_ref().map(|who| who.user)) {
            // What was said is taken back, and looks like a newer connection from here on.
            if self.closed.token.is_cancelled() {
                return;
            }
            let Some(view) = self.stands(user).await else { return };
            if view.epoch > epoch {
                return self.give_way();
            }
            // The matcher has erased the user meanwhile.
            connected = self.connect(None).await;
        }
        match connected {
            Connected::As(view) => self.take_up(view.place).await,
            Connected::Refused => self.look_at = Some(Instant::now() + RETRY),
            Connected::Cut => {}
        }
    }

    /// The matcher has erased somebody who waits, for instance because this gateway was thought dead. Their client
    /// was told of nothing and waits on, so that their wish is said again.
    pub(crate) async fn wait_again(&mut self, queue: Queue) {
        let Some((user, epoch)) = self.who.as_ref().map(|who| (who.user, who.epoch)) else { return };
        // The answer to a POST of old clients may still be on its way.
        let settle = if self.modern { Duration::ZERO } else { self.app.config.settle };
        match self.app.queue(user, queue, settle).await {
            Ok(UserView { epoch: known, place: Place::Waiting { queue, since_ms }, .. }) if known == epoch => {
                tracing::info!(user.id = %user, "a lost place in the queue was asked for again");
                self.stay(Stay::Waiting { queue, since_ms });
            }
            // Between two attempts the client is heard, who may want to leave.
            _ => self.look_at = Some(Instant::now() + RETRY),
        }
    }
}
