//! How a room comes to its end, in steps that can each be repeated after a crash: it is closed,
//! with who goes where; then the chat-store is told, and both members; the room goes last.

use crate::{
    Matcher,
    rooms::{Closing, Room},
    user::State,
};
use anyhow::Context as _;
use proto::{CommandId, Live, RoomCommand, RoomId, UserId, bus::now_ms, events::EndReason, operators::Happened};

impl Matcher {
    /// Ends a room because of this member. A partner whose conversation has not begun goes back
    /// to the queue.
    pub(crate) async fn end(&self, room: RoomId, because_of: UserId, reason: EndReason) -> anyhow::Result<()> {
        while let Some(room) = self.rooms.get(room).await? {
            if !room.open {
                return self.finish(&room).await;
            }
            let back = if room.begun { Vec::new() } else { vec![room.partner_of(because_of)] };
            if self.close(&room, reason, back).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Closes the room and finishes it; false if it is not any more as it was read.
    pub(crate) async fn close(&self, room: &Room, reason: EndReason, back: Vec<UserId>) -> anyhow::Result<bool> {
        let closing = Closing { reason, back, at: now_ms() };
        if !self.rooms.close(room, &closing).await? {
            return Ok(false);
        }
        self.bus.report(room.id, ended(room, &closing)).await;
        self.finish(&Room { open: false, closing: Some(closing), ..room.clone() }).await?;
        Ok(true)
    }

    /// Both go back to the queue, unless it has begun or is closed.
    pub(crate) async fn dissolve(&self, room: &Room) -> anyhow::Result<bool> {
        self.close(room, EndReason::Gone, room.users().to_vec()).await
    }

    /// Does all that is left to do for a closed room.
    pub(crate) async fn finish(&self, room: &Room) -> anyhow::Result<()> {
        let Some(closing) = &room.closing else { return Ok(()) };
        let ended = RoomCommand::RoomEnded { room: room.id };
        let stored = self.bus.command(CommandId::new(), &ended, None).await?;
        stored.await.context("telling the chat-store that a room has ended")?;
        for user in room.users() {
            if closing.back.contains(&user) {
                self.put_back(room.id, user).await?;
            } else {
                self.users.change(user, |user| user.erase_from(room.id, now_ms())).await?;
                // After that, so that whoever hears it can queue again at once.
                self.bus.tell(Some(room.id), user, &Live::Ended { reason: closing.reason }).await?;
            }
        }
        self.rooms.delete(room.id).await?;
        tracing::debug!(room.id = %room.id, reason = ?closing.reason, back = closing.back.len(), "a room is over");
        Ok(())
    }

    async fn put_back(&self, room: RoomId, user: UserId) -> anyhow::Result<()> {
        let user = self.users.change(user, |user| user.put_back(room)).await?.after;
        // When this is repeated they may be in the next room already.
        if let (State::Waiting, Some(queue)) = (user.state, user.queue) {
            self.bus.tell(Some(room), user.id, &Live::Unmatched { queue, since_ms: user.queued_at }).await?;
            self.wake.ring().await;
        }
        Ok(())
    }
}

fn ended(room: &Room, closing: &Closing) -> Happened {
    let lasted_ms = u64::try_from(closing.at - room.created_at).unwrap_or(0);
    Happened::Ended { reason: closing.reason, begun: room.begun, lasted_ms, back: closing.back.clone() }
}
