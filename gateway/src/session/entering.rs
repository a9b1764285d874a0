//! What a session does after a change of its user's location: it enters rooms, and plans what is to be fetched or
//! requested again.

use crate::{
    api::error::ApiError,
    session::{
        parts::{
            location::Location,
            outcome::{FollowUp, Outcome},
            replay_plan::ReplayForm,
        },
        state::Session,
    },
};
use proto::{RoomId, UserState};

/// Changes the location, and does what follows.
pub(super) async fn apply(session: &mut Session, change: impl FnOnce(&mut Location) -> Outcome) {
    let follow_up = session.apply(change);
    if let Some(follow_up) = follow_up {
        follow(session, follow_up).await;
    }
}

async fn follow(session: &mut Session, follow_up: FollowUp) {
    if let FollowUp::Enter(room) = follow_up {
        if let Err(error) = enter(session, room).await {
            // The next round announces the room again.
            tracing::debug!(%error, room.id = %room, "room not entered");
        }
        return;
    }
    let Some(user) = &mut session.user else { return };
    match follow_up {
        FollowUp::Enter(_) => {}
        FollowUp::CatchUp => plan_catch_up(session),
        FollowUp::Requeue(queue) => user.requeue.begin(queue),
        FollowUp::Released => user.identity.release(),
    }
}

/// Plans to send what the history has after the delivery position.
pub(super) fn plan_catch_up(session: &mut Session) {
    if let Some(user) = session.user.as_mut().filter(|user| user.location.entered().is_some()) {
        user.delivery.fall_behind();
        user.replay.begin(ReplayForm::Messages { then_partner: false });
    }
}

/// Enters a room. Idempotent.
pub(super) async fn enter(session: &mut Session, room: RoomId) -> Result<(), ApiError> {
    let user = session.user_id().ok_or(ApiError::Unidentified)?;
    match session.app.backend.enter(user, room).await {
        Ok(view) => {
            if let UserState::Room(view) = view.state {
                session.apply(|location| location.has_entered(&view));
            }
            // The partner wrote before this client was in the room.
            if session.user.as_ref().is_some_and(|user| user.delivery.is_behind()) {
                plan_catch_up(session);
            }
            Ok(())
        }
        Err(error) => {
            // The room that was announced is over.
            if let (ApiError::NotInRoom, Some(user)) = (&error, &mut session.user) {
                user.identity.served().request_resync();
            }
            Err(error)
        }
    }
}
