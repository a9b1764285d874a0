//! Resync: after an outage, or when the matcher requests it, a session fetches its user and acts on what is not as it
//! believed; and it requests the queue again for a client that waits and whose place was lost.

use crate::{
    api::error::ApiError,
    app::Shared,
    session::{claiming, entering, parts::client::ClientKind, state::Session},
};
use proto::{UserId, UserState, UserView, presence::Verdict};
use std::time::Duration;

/// Over how many milliseconds the sessions of a gateway spread a resync of all.
const JITTER_MS: u128 = 500;

/// Fetches the user, and acts on the register and the state.
pub(super) async fn resync(session: &mut Session) {
    let Some(user) = session.user_id() else { return };
    let jitter = Duration::from_millis(u64::try_from(user.as_u128() % JITTER_MS).unwrap_or(0));
    tokio::time::sleep(jitter).await;
    let fetched = session.persist(move |app: Shared| fetch(app, user)).await;
    let Some(Some(view)) = fetched else { return };
    tracing::debug!(user.id = %user, state = ?view.state, "session resynced");
    observe(session, view).await;
}

/// None while the matcher is unavailable: that there is no reply shows nothing of the user.
async fn fetch(app: Shared, user: UserId) -> Option<Option<UserView>> {
    match app.backend.fetch_user(user).await {
        Err(ApiError::Unavailable) => None,
        fetched => Some(fetched.ok()),
    }
}

async fn observe(session: &mut Session, view: UserView) {
    let Some(user) = &mut session.user else { return };
    if user.identity.is_released() && view.connection.is_none() && view.state == UserState::Idle {
        return;
    }
    match user.identity.judge(view.connection.as_ref()) {
        Verdict::Held => entering::apply(session, |location| location.observe(&view.state)).await,
        Verdict::Unknown | Verdict::Restamp { .. } => claiming::claim_and_observe(session).await,
        Verdict::Superseded => claiming::supersede(session),
    }
}

/// Requests the queue again. The matcher has erased a user who waits, for instance because this gateway was taken for
/// dead; the client was sent nothing and waits on, a legacy one for ever.
pub(super) async fn requeue(session: &mut Session) {
    let Some(user) = &mut session.user else { return };
    let (id, attempt) = (user.identity.user(), user.requeue.take_attempt());
    let (Some(queue), Some(_)) = (attempt, user.location.waiting()) else { return user.requeue.end() };
    // The reply to a POST of a legacy client may still be on its way.
    let settle = if session.client == ClientKind::Current { Duration::ZERO } else { session.app.config.settle };
    let replied = session.app.backend.request_queue(id, queue, settle).await;
    let Some(user) = &mut session.user else { return };
    match replied {
        Ok(view) => {
            tracing::info!(user.id = %id, %queue, "queue requested again");
            user.requeue.end();
            observe(session, view).await;
        }
        // Queued, or matched, meanwhile.
        Err(ApiError::AlreadyWaiting | ApiError::InRoom) => {
            user.requeue.end();
            user.identity.served().request_resync();
        }
        Err(error) => tracing::debug!(user.id = %id, %error, "queue not requested again, retrying"),
    }
}
