//! What each command does: a step with the user, then what follows from where they are. What
//! follows is read from the state, not from the step, so that a repeated command repeats it.

use crate::{
    Matcher,
    config::ms,
    connection::Gone,
    rooms::{Joined, Room},
    user::{Stamp, State, User},
};
use proto::{
    GatewayId, Live, Place, Queue, Refusal, Reply, UserCommand, UserId, UserView, bus::now_ms, commands::Loss,
    events::EndReason, operators::Happened,
};
use std::time::Duration;

/// What a command came to; refusals are answers too.
type Applied = anyhow::Result<Result<User, Refusal>>;

impl Matcher {
    /// Applies a command and says where the user is then.
    pub(crate) async fn apply(&self, command: &UserCommand, stamp: Stamp) -> anyhow::Result<Reply<UserView>> {
        let applied = match command {
            UserCommand::QueueRequested { user, queue, settle_ms } => {
                self.queue(*user, stamp, *queue, Duration::from_millis(*settle_ms)).await?
            }
            UserCommand::Left { user } => self.leave(*user, stamp).await?,
            UserCommand::Connected { user, gateway, reassert } => {
                self.connect(*user, stamp, gateway, *reassert).await?
            }
            UserCommand::Disconnected { user, epoch, seen, cause } => {
                let partner_hears_at = match cause {
                    Loss::Lost => None,
                    Loss::Drained => Some(stamp.now + ms(self.config.drain_grace)),
                };
                let Stamp { sequence, now, .. } = stamp;
                let gone = Gone { epoch: *epoch, seen: Some(*seen), sequence, now, partner_hears_at };
                self.disconnect(*user, gone).await?
            }
            UserCommand::Joined { user } => self.join(*user).await?,
        };
        Ok(match applied {
            Ok(user) => Reply::Ok(self.view(&user).await?),
            Err(refusal) => Reply::Refused(refusal),
        })
    }

    async fn queue(&self, user: UserId, stamp: Stamp, queue: Queue, settle: Duration) -> Applied {
        let step = |user: &mut User| user.queue(stamp, queue, settle);
        let mut applied = self.users.step(user, step).await?;
        if let Err(Refusal::InRoom) = applied
            && self.finish_room_of(user).await?
        {
            applied = self.users.step(user, step).await?;
        }
        let user = match applied {
            Ok(step) => step.after,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if user.state == State::Waiting {
            self.bus.tell(None, user.id, &Live::Queued { queue, since_ms: user.queued_at }).await?;
            self.wake.ring_after(settle).await;
        }
        Ok(Ok(user))
    }

    /// True if their room was over, and only had to be finished.
    async fn finish_room_of(&self, user: UserId) -> anyhow::Result<bool> {
        let Some(room) = self.users.get(user).await?.room else { return Ok(true) };
        match self.rooms.get(room).await? {
            Some(room) if room.open => return Ok(false),
            Some(room) => self.finish(&room).await?,
            // Its document went first: the backstop.
            None => drop(self.users.change(user, |user| user.erase_from(room, now_ms())).await?),
        }
        Ok(true)
    }

    async fn leave(&self, user: UserId, stamp: Stamp) -> Applied {
        let left = match self.users.step(user, |user| user.leave(stamp)).await? {
            Ok(step) => step.after,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Some(room) = left.room {
            self.bus.report(room, Happened::Left { user }).await;
            self.end(room, user, EndReason::Left).await?;
        }
        Ok(Ok(User { state: State::Gone, ..left }))
    }

    async fn connect(&self, user: UserId, stamp: Stamp, gateway: &GatewayId, reassert: Option<u64>) -> Applied {
        let step = match self.users.step(user, |user| user.connect(stamp, gateway, reassert)).await? {
            Ok(step) => step,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (before, after) = (step.before, step.after);
        // A gateway that reasserts a connection has no older one to silence. Also again, when this command is repeated
        // after a crash: an epoch silences only older ones.
        if before.connected && reassert.is_none() {
            self.bus.tell(after.room, user, &Live::Replaced { epoch: after.epoch }).await?;
        }
        if after.state == State::Waiting {
            self.wake.ring().await;
        }
        if after.partner_told {
            self.tell_partner(&after).await?;
            self.users.change(user, User::partner_relieved).await?;
        }
        // Not the user as it is by now: a newer connection may speak for it, which is not the one that asks.
        Ok(Ok(after))
    }

    /// A connection is gone, however that was found out.
    pub(crate) async fn disconnect(&self, user: UserId, gone: Gone) -> Applied {
        let user = self.users.change(user, |user| user.disconnect(gone)).await?.after;
        if user.connected {
            return Ok(Err(Refusal::Outdated));
        }
        self.partner_hears(&user).await?;
        Ok(Ok(user))
    }

    /// Tells the partner of a lost connection; before the conversation has begun they look for
    /// somebody else instead.
    pub(crate) async fn partner_hears(&self, user: &User) -> anyhow::Result<()> {
        let (true, Some(room)) = (user.partner_told && !user.connected, user.room) else { return Ok(()) };
        while let Some(room) = self.rooms.open(room).await? {
            if room.begun {
                return self.tell_partner(user).await;
            }
            if self.dissolve(&room).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells it again if it has changed meanwhile: another matcher may have told the newer state before this one told
    /// the older.
    async fn tell_partner(&self, user: &User) -> anyhow::Result<()> {
        let Some(room) = user.room else { return Ok(()) };
        let mut connected = user.seems_connected();
        while let Some(room) = self.rooms.open(room).await? {
            let happened = if connected { Happened::Back { user: user.id } } else { Happened::Lost { user: user.id } };
            self.bus.report(room.id, happened).await;
            self.bus.tell(Some(room.id), room.partner_of(user.id), &Live::Partner { connected }).await?;
            let now = self.users.get(user.id).await?;
            if now.room != user.room || now.seems_connected() == connected {
                break;
            }
            connected = now.seems_connected();
        }
        Ok(())
    }

    async fn join(&self, id: UserId) -> Applied {
        let user = self.users.get(id).await?;
        let Some(room) = user.room else { return Ok(Err(Refusal::NotInRoom)) };
        let Some(Joined { room, first }) = self.rooms.join(room, id).await? else {
            return Ok(Err(Refusal::NotInRoom));
        };
        if first {
            self.bus.report(room.id, Happened::Entered { user: id, begun: room.begun }).await;
        }
        for member in room.users() {
            self.bus.tell(Some(room.id), member, &Live::Joined { user: id, begun: room.begun }).await?;
        }
        Ok(Ok(user))
    }

    /// Where somebody is.
    pub(crate) async fn view(&self, user: &User) -> anyhow::Result<UserView> {
        let place = match (user.state, user.queue, user.room) {
            (State::Waiting, Some(queue), _) => Place::Waiting { queue, since_ms: user.queued_at },
            (State::Paired, _, Some(room)) => match self.rooms.open(room).await? {
                Some(room) => self.in_room(user.id, &room).await?,
                None => Place::Idle,
            },
            _ => Place::Idle,
        };
        let epoch = if user.connected { user.epoch } else { 0 };
        Ok(UserView { user: user.id, epoch, seen: user.seen, place })
    }

    async fn in_room(&self, user: UserId, room: &Room) -> anyhow::Result<Place> {
        let partner = self.users.get(room.partner_of(user)).await?;
        Ok(Place::Room(room.view(user, partner.connected)))
    }
}
