//! The other services, as this gateway calls them: one function a command or request.

use crate::{
    api::{draft::Draft, error::ApiError},
    bus::{
        command_client::{CommandClient, CommandError, PendingReply},
        until_stored::UntilStored,
    },
};
use proto::{
    CommandId, ConnectionStamp, Message, Notification, Queue, Refusal, Reply, RoomCommand, RoomId, UserCommand, UserId,
    UserView,
    bus::{Bus, BusError},
    commands::Liked,
    notification::{History, HistoryRequest},
    subjects,
};
use std::time::Duration;
use tokio::time::timeout;

/// How long the bus may take for what is of no use later.
const BEST_EFFORT: Duration = Duration::from_millis(250);

/// The room of a user, and the partner in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    /// Which room.
    pub(crate) room: RoomId,
    /// The other member.
    pub(crate) partner: UserId,
}

/// Matcher and chat-store behind the bus.
pub(crate) struct Backend {
    bus: Bus,
    commands: CommandClient,
    until_stored: UntilStored,
}

impl Backend {
    /// Over these.
    pub(crate) fn new(bus: Bus, commands: CommandClient, until_stored: UntilStored) -> Self {
        Self { bus, commands, until_stored }
    }

    /// The commands that wait for their reply.
    pub(crate) fn commands(&self) -> &CommandClient {
        &self.commands
    }

    /// The commands that are published until they are stored.
    pub(crate) fn until_stored(&self) -> &UntilStored {
        &self.until_stored
    }

    /// Subscribes to the notifications of a user.
    ///
    /// # Errors
    /// Unavailable.
    pub(crate) async fn subscribe(&self, user: UserId) -> Result<async_nats::Subscriber, ApiError> {
        let subscribed = self.bus.client.subscribe(subjects::notifications_of(user)).await;
        subscribed.map_err(|error| {
            tracing::debug!(%error, "subscription failed");
            ApiError::Unavailable
        })
    }

    /// Claims a user for a connection. Idempotent: a retry has the same stamp.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub(crate) async fn connect(
        &self,
        id: CommandId,
        user: UserId,
        stamp: ConnectionStamp,
    ) -> Result<UserView, CommandError> {
        self.commands.request(id, &UserCommand::Connected { user, stamp }).await
    }

    /// Puts a user in a queue; not matched before `settle` has passed.
    ///
    /// # Errors
    /// Refused, or unavailable.
    pub(crate) async fn request_queue(
        &self,
        user: UserId,
        queue: Queue,
        settle: Duration,
    ) -> Result<UserView, ApiError> {
        let settle_ms = u64::try_from(settle.as_millis()).unwrap_or(u64::MAX);
        let command = UserCommand::QueueRequested { user, queue, settle_ms };
        Ok(self.commands.request(CommandId::new(), &command).await?)
    }

    /// Enters a room. Idempotent.
    ///
    /// # Errors
    /// Refused, or unavailable.
    pub(crate) async fn enter(&self, user: UserId, room: RoomId) -> Result<UserView, ApiError> {
        Ok(self.commands.request(CommandId::new(), &UserCommand::Entered { user, room }).await?)
    }

    /// Leaves the room, or the queue.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub(crate) async fn leave(&self, id: CommandId, user: UserId) -> Result<UserView, CommandError> {
        self.commands.request(id, &UserCommand::Left { user }).await
    }

    /// Publishes a message. Messages are stored in the order of these calls.
    ///
    /// # Errors
    /// Unavailable.
    pub(crate) async fn send_message(
        &self,
        author: UserId,
        room: RoomId,
        draft: Draft,
    ) -> Result<PendingReply<Message>, ApiError> {
        let (nonce, content) = draft.into_parts();
        let command = RoomCommand::MessageSent { room, author, nonce, content };
        Ok(self.commands.publish(CommandId::new(), &command).await?)
    }

    /// Publishes a like.
    ///
    /// # Errors
    /// `UnknownMessage` for what is no id, or unavailable.
    pub(crate) async fn like_message(
        &self,
        user: UserId,
        room: RoomId,
        message: &str,
    ) -> Result<PendingReply<Liked>, ApiError> {
        let message = message.parse().map_err(|_| ApiError::UnknownMessage)?;
        let command = RoomCommand::MessageLiked { room, user, message };
        Ok(self.commands.publish(CommandId::new(), &command).await?)
    }

    /// Notifies the partner that a user started or stopped typing, best effort: while NATS hangs it is not waited for.
    ///
    /// # Errors
    /// Unavailable.
    pub(crate) async fn notify_typing(&self, to: Membership, typing: bool) -> Result<(), ApiError> {
        let notification = Notification::Typing { typing };
        let notifying = timeout(BEST_EFFORT, self.bus.notify_user(Some(to.room), to.partner, &notification));
        notifying.await.map_err(|_too_late| ApiError::Unavailable)?.map_err(|error| unavailable(&error))
    }

    /// Fetches a user from the matcher.
    ///
    /// # Errors
    /// Refused, or unavailable.
    pub(crate) async fn fetch_user(&self, user: UserId) -> Result<UserView, ApiError> {
        let reply = self.bus.request(subjects::read_user(user), &()).await;
        reply.map_err(|error| unavailable(&error)).and_then(result)
    }

    /// Fetches a page of a room's messages after a sequence from the chat-store.
    ///
    /// # Errors
    /// `NotInRoom` when the room is over, or unavailable.
    pub(crate) async fn fetch_history(&self, user: UserId, room: RoomId, after_seq: u64) -> Result<History, ApiError> {
        let request = HistoryRequest { user, after_seq };
        let reply = self.bus.request(subjects::read_history(room), &request).await;
        reply.map_err(|error| unavailable(&error)).and_then(result)
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NotStored | CommandError::NoReply => Self::Unavailable,
            CommandError::Refused(refusal) => refusal.into(),
        }
    }
}

fn result<T>(reply: Reply<T>) -> Result<T, ApiError> {
    match reply {
        Reply::Ok(result) => Ok(result),
        Reply::Refused(Refusal::Failed) => Err(ApiError::Unavailable),
        Reply::Refused(refusal) => Err(refusal.into()),
    }
}

fn unavailable(error: &BusError) -> ApiError {
    tracing::debug!(%error, "request failed");
    ApiError::Unavailable
}
