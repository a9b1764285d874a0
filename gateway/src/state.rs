//! What every request and every socket of this gateway shares, and what both ask for.

use crate::{
    asking::{Asker, Pending, unavailable},
    config::Config,
    error::ApiError,
    leaving::Present,
    limits::Limits,
    order::Lanes,
    token::Secrets,
};
use proto::{
    GatewayId, Live, Message, Place, Queue, Reply, RoomCommand, RoomId, UserCommand, UserId, UserView,
    bus::Bus,
    commands::Liked,
    events::{History, HistoryRequest, QueueStatus},
    operators::OnGateway,
    subjects,
};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

/// Shared by everything in the process.
pub(crate) type Shared = Arc<App>;

/// The gateway's state. What can be asked of the bus is not kept here, save for whose socket
/// is here and in which room: that is asked for with every message.
pub(crate) struct App {
    /// The name of this process on the bus.
    pub(crate) id: GatewayId,
    pub(crate) config: Config,
    pub(crate) bus: Bus,
    pub(crate) secrets: Secrets,
    pub(crate) asker: Asker,
    pub(crate) limits: Limits,
    pub(crate) lanes: Lanes,
    pub(crate) memberships: Memberships,
    /// Whose sockets are here.
    pub(crate) present: Present,
    /// Cancelled when nobody new is let in, and those who are here are let go.
    pub(crate) draining: CancellationToken,
    /// Cancelled when all have gone.
    pub(crate) gone: CancellationToken,
    /// Changes when live events may have been missed.
    pub(crate) resync: watch::Sender<Resync>,
    /// How many wait, from the matcher's last tick.
    pub(crate) queue_status: watch::Sender<QueueStatus>,
}

/// Counts the reasons to look at the state again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resync {
    /// NATS was away.
    pub(crate) reconnected: u64,
    /// This gateway's lease had lapsed: its people count as disconnected.
    pub(crate) lapsed: u64,
}

/// The room somebody is in, and with whom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Membership {
    pub(crate) room: RoomId,
    pub(crate) partner: UserId,
}

/// Whose socket is here, and in which room; with the socket's epoch, so that an older socket
/// does not take away what a newer one has brought.
#[derive(Default)]
pub(crate) struct Memberships(RwLock<HashMap<UserId, (u64, Membership)>>);

impl Memberships {
    pub(crate) fn enter(&self, user: UserId, epoch: u64, membership: Membership) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(user, (epoch, membership));
    }

    pub(crate) fn leave(&self, user: UserId, epoch: u64) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.get(&user).is_some_and(|(entered, _)| *entered <= epoch) {
            all.remove(&user);
        }
    }

    /// How many people are in a room.
    pub(crate) fn count(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn of(&self, user: UserId) -> Option<Membership> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&user).map(|(_, membership)| *membership)
    }
}

/// How long the bus may take for what is told now or never.
const NOW: Duration = Duration::from_millis(250);

impl App {
    /// Who is here, for operators.
    pub(crate) fn on_gateway(&self) -> OnGateway {
        OnGateway {
            gateway: self.id.clone(),
            sockets: self.present.count() as u64,
            in_rooms: self.memberships.count() as u64,
            draining: self.draining.is_cancelled(),
        }
    }

    /// Puts a user in a queue; not matched before `settle` has passed.
    pub(crate) async fn queue(&self, user: UserId, queue: Queue, settle: Duration) -> Result<UserView, ApiError> {
        let settle_ms = u64::try_from(settle.as_millis()).unwrap_or(u64::MAX);
        self.asker.ask(&UserCommand::QueueRequested { user, queue, settle_ms }).await
    }

    /// The room of a user, wherever the socket is.
    pub(crate) async fn membership(&self, user: UserId) -> Result<Membership, ApiError> {
        if let Some(membership) = self.memberships.of(user) {
            return Ok(membership);
        }
        match self.view(user).await?.place {
            Place::Room(room) => Ok(Membership { room: room.room, partner: room.partner }),
            Place::Idle | Place::Waiting { .. } => Err(ApiError::NotInRoom),
        }
    }

    /// Where a user stands.
    pub(crate) async fn view(&self, user: UserId) -> Result<UserView, ApiError> {
        answer(self.bus.request(subjects::read_user(user), &()).await.map_err(unavailable)?)
    }

    /// Sends a message on its way. Messages are stored in the order of these calls.
    pub(crate) async fn send(&self, author: UserId, room: RoomId, draft: Draft) -> Result<Pending<Message>, ApiError> {
        let Draft { nonce, content } = draft;
        self.asker.publish(&RoomCommand::MessageSent { room, author, nonce, content }).await
    }

    /// Likes a message.
    pub(crate) async fn like(&self, user: UserId, room: RoomId, message: &str) -> Result<Liked, ApiError> {
        self.start_like(user, room, message).await?.result().await
    }

    /// Sends a like on its way.
    pub(crate) async fn start_like(
        &self,
        user: UserId,
        room: RoomId,
        message: &str,
    ) -> Result<Pending<Liked>, ApiError> {
        let message = message.parse().map_err(|_| ApiError::UnknownMessage)?;
        self.asker.publish(&RoomCommand::MessageLiked { room, user, message }).await
    }

    /// Tells the partner that somebody types, or no longer: now or never. While NATS hangs it is not waited for.
    pub(crate) async fn typing(&self, to: Membership, typing: bool) -> Result<(), ApiError> {
        let live = Live::Typing { typing };
        let telling = timeout(NOW, self.bus.tell(Some(to.room), to.partner, &live));
        telling.await.map_err(|_too_late| ApiError::Unavailable)?.map_err(unavailable)
    }

    /// A page of what was said after a room sequence.
    pub(crate) async fn history(&self, user: UserId, room: RoomId, after_seq: u64) -> Result<History, ApiError> {
        let question = HistoryRequest { user, after_seq };
        answer(self.bus.request(subjects::read_history(room), &question).await.map_err(unavailable)?)
    }
}

fn answer<T>(reply: Reply<T>) -> Result<T, ApiError> {
    match reply {
        Reply::Ok(answer) => Ok(answer),
        Reply::Refused(refusal) => Err(refusal.into()),
    }
}

/// A message that was not stored yet.
pub(crate) struct Draft {
    nonce: String,
    content: String,
}

/// The longest text, in bytes of UTF-8; about five pages.
const MAX_CONTENT: usize = 16 * 1024;
/// The longest nonce. The clients' are 16 letters and digits, or a UUID.
const MAX_NONCE: usize = 64;

impl Draft {
    /// Checks what a client wrote.
    pub(crate) fn new(nonce: String, content: String) -> Result<Self, ApiError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if nonce.is_empty() || nonce.len() > MAX_NONCE || !nonce.chars().all(fits) {
            return Err(ApiError::bad(format!("a nonce is 1 to {MAX_NONCE} letters, digits, '-' or '_'")));
        }
        if content.is_empty() {
            return Err(ApiError::bad("the message is empty"));
        }
        if content.len() > MAX_CONTENT {
            return Err(ApiError::bad(format!("the message is longer than {MAX_CONTENT} bytes")));
        }
        Ok(Self { nonce, content })
    }
}
