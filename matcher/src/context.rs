//! What everything in a matcher works with.

use crate::{
    config::Config,
    domain::{ms, presence::Timeouts},
    store::Store,
    wakeup::Wakeup,
};
use proto::{ProcessId, UserView, bus::Bus, commands::UserState};

/// Shared by all tasks of the process.
pub(crate) struct Context {
    /// The name of this process on the bus.
    pub(crate) id: ProcessId,
    pub(crate) config: Config,
    pub(crate) bus: Bus,
    pub(crate) store: Store,
    pub(crate) wakeup: Wakeup,
}

impl Context {
    /// Milliseconds since 1970, by the clock that all matchers share.
    pub(crate) fn now_ms(&self) -> i64 {
        self.store.clock.now_ms()
    }

    pub(crate) fn timeouts(&self) -> Timeouts {
        Timeouts { resume_window: self.config.resume_window, drain_grace: self.config.drain_grace }
    }

    /// A time so long ago.
    pub(crate) fn ago(&self, time: std::time::Duration) -> i64 {
        self.now_ms().saturating_sub(ms(time))
    }

    /// A user as other services see them.
    pub(crate) async fn view(&self, user: &crate::domain::user::User) -> anyhow::Result<UserView> {
        let state = match (user.waiting(), user.room()) {
            (Some((queue, since_ms)), _) => UserState::Waiting { queue, since_ms },
            (None, Some(room)) => match self.store.rooms.open(room).await? {
                Some(room) => {
                    let partner = self.store.users.get(room.partner_of(user.id())).await?;
                    UserState::Room(room.view(user.id(), partner.presence().shown_connected()))
                }
                None => UserState::Idle,
            },
            (None, None) => UserState::Idle,
        };
        let presence = user.presence();
        let connection = presence.connection().cloned();
        Ok(UserView { user: user.id(), connection, delivered_seq: presence.delivered_seq(), state })
    }
}
