//! What clients ask for over their socket.

use crate::{
    error::{self, ApiError},
    identity::Connected,
    reasserting::RETRY,
    session::{Session, Stay, acknowledge},
    socket::Incoming,
    state::{Draft, Membership},
};
use proto::{CommandId, Place, Queue, UserCommand, UserId, UserView};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

#[derive(Deserialize)]
struct RequestQueue {
    queue: Queue,
}

#[derive(Serialize)]
struct Queued {
    queue: Queue,
}

#[derive(Deserialize)]
struct SendMessage {
    content: String,
    nonce: String,
}

#[derive(Deserialize)]
struct LikeMessage {
    message_id: String,
}

#[derive(Deserialize)]
struct Typing {
    typing: bool,
}

impl Session {
    /// `hello`, `register_sid`: this socket speaks for this user.
    pub(crate) async fn hello(&mut self, incoming: &Incoming) {
        if let Err(error) = self.speak_for(incoming).await {
            error::note(&error);
        }
    }

    /// `join_room`: enters the room that `queue_complete` told of.
    pub(crate) async fn join_room(&mut self, incoming: Incoming) {
        let result = match self.speak_for(&incoming).await {
            Ok(()) => self.join().await,
            Err(error) => Err(error),
        };
        self.answer(incoming, result);
    }

    /// `leave_room`: leaves the room, or the queue.
    pub(crate) async fn leave_room(&mut self, incoming: Incoming) {
        let result = match (self.user_of(&incoming), &self.who) {
            (Some(user), _) => self.leave(user).await,
            (None, Some(who)) if self.modern => self.leave(who.user).await,
            (None, _) => Err(ApiError::Unidentified),
        };
        self.answer(incoming, result);
    }

    /// `request_queue`: waits for a partner.
    pub(crate) async fn request_queue(&mut self, incoming: Incoming) {
        let (user, RequestQueue { queue }) = match self.read(&incoming) {
            Ok(asked) => asked,
            Err(error) => return self.answer::<()>(incoming, Err(error)),
        };
        let deadline = incoming.arrived + self.app.config.result_deadline;
        if self.who.as_ref().is_some_and(|who| who.epoch == 0) {
            let mut connecting = std::pin::pin!(self.connect(None));
            match timeout_at(deadline, &mut connecting).await {
                Ok(Connected::As(_)) => {}
                Ok(Connected::Refused | Connected::Cut) => {
                    return acknowledge::<()>(incoming.ack, Err(ApiError::Unavailable));
                }
                // Whoever was told so is not queued, and is connected all the same.
                Err(_too_late) => {
                    acknowledge::<()>(incoming.ack, Err(ApiError::Unavailable));
                    connecting.await;
                    return;
                }
            }
        }
        let result = self.queue(user, queue).await;
        self.answer(incoming, result);
    }

    /// `send_message`: answered when the message is kept. Several may be under way, in order.
    pub(crate) async fn send_message(&mut self, incoming: Incoming) {
        // One deadline for all of it: the turn, the way to the bus, and the result.
        let deadline = incoming.arrived + self.app.config.result_deadline;
        let started = match self.read::<SendMessage>(&incoming) {
            Ok((user, SendMessage { content, nonce })) => {
                let starting = timeout_at(deadline, self.start_message(user, content, nonce));
                starting.await.unwrap_or(Err(ApiError::Unavailable))
            }
            Err(error) => Err(error),
        };
        match started {
            Ok(message) => {
                let result = async move { timeout_at(deadline, message.result()).await };
                let acknowledge = async move {
                    acknowledge(incoming.ack, result.await.unwrap_or(Err(ApiError::Unavailable)));
                };
                tokio::spawn(acknowledge.in_current_span());
            }
            Err(error) => self.answer::<()>(incoming, Err(error)),
        }
    }

    /// `like_message`.
    pub(crate) async fn like_message(&mut self, incoming: Incoming) {
        let result = match self.read::<LikeMessage>(&incoming).and_then(|(user, like)| Ok((user, like, self.here()?))) {
            Ok((user, like, here)) => self.app.start_like(user, here.room, &like.message_id).await,
            Err(error) => Err(error),
        };
        match result {
            // Not waited for here: a message that comes after it has its own 5 s.
            Ok(like) => {
                let ack = incoming.ack;
                tokio::spawn(async move { acknowledge(ack, like.result().await) });
            }
            Err(error) => self.answer::<()>(incoming, Err(error)),
        }
    }

    /// `typing`: told to the partner, now or never.
    pub(crate) async fn typing(&mut self, incoming: Incoming) {
        let result = match self.read::<Typing>(&incoming).and_then(|(_, typing)| Ok((typing, self.here()?))) {
            Ok((Typing { typing }, here)) => self.app.typing(here, typing).await,
            Err(error) => Err(error),
        };
        self.answer(incoming, result);
    }

    /// Speaks for the user of a bare secret, if there is one. It counts as an action of theirs: another socket each
    /// time would otherwise be a way around the pace of one.
    async fn speak_for(&mut self, incoming: &Incoming) -> Result<(), ApiError> {
        if let Some(user) = self.user_of(incoming) {
            self.app.limits.act(user)?;
            self.identify(user, None).await;
        }
        Ok(())
    }

    /// The user of the bare secret that old clients send. A secret that nobody signed is ignored:
    /// old clients do not listen to an answer.
    fn user_of(&self, incoming: &Incoming) -> Option<UserId> {
        self.app.secrets.verify(incoming.secret()?).ok()
    }

    /// Who asks, and what for.
    fn read<T: DeserializeOwned>(&self, incoming: &Incoming) -> Result<(UserId, T), ApiError> {
        let who = self.who.as_ref().ok_or(ApiError::Unidentified)?;
        let data = incoming.data.as_ref().ok_or_else(|| ApiError::bad("an object is expected"))?;
        T::deserialize(data).map(|asked| (who.user, asked)).map_err(|error| ApiError::bad(error.to_string()))
    }

    fn here(&mut self) -> Result<Membership, ApiError> {
        let room = self.who.as_mut().and_then(|who| who.room()).filter(|room| room.joined);
        room.map(|room| Membership { room: room.id, partner: room.partner }).ok_or(ApiError::NotInRoom)
    }

    async fn queue(&mut self, user: UserId, queue: Queue) -> Result<Queued, ApiError> {
        // Over one connection the answer comes before the match by itself.
        let view = self.app.queue(user, queue, Duration::ZERO).await?;
        if let Place::Waiting { queue, since_ms } = view.place {
            self.stay(Stay::Waiting { queue, since_ms });
        }
        // Nobody is matched whose connection the matcher does not know.
        if self.who.as_ref().is_some_and(|who| who.epoch != view.epoch) {
            self.look_at = Some(Instant::now());
        }
        Ok(Queued { queue })
    }

    async fn start_message(
        &mut self,
        user: UserId,
        content: String,
        nonce: String,
    ) -> Result<crate::asking::Pending<proto::Message>, ApiError> {
        let draft = Draft::new(nonce, content)?;
        let here = self.here()?;
        let _turn = self.app.lanes.turn(user).await;
        self.app.send(user, here.room, draft).await
    }

    /// Enters the room; idempotent.
    pub(crate) async fn join(&mut self) -> Result<(), ApiError> {
        let user = self.who.as_ref().ok_or(ApiError::Unidentified)?.user;
        match self.app.asker.ask(&UserCommand::Joined { user }).await {
            Ok(UserView { place: Place::Room(room), .. }) => self.entered(room).await,
            Ok(_) => {}
            Err(error) => {
                // The room that was announced is over.
                if error == ApiError::NotInRoom {
                    self.look_at = Some(Instant::now() + RETRY);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Leaves for good. The user is erased; a later queue request starts anew.
    async fn leave(&mut self, user: UserId) -> Result<(), ApiError> {
        let speaks_for_them = self.who.as_ref().is_some_and(|who| who.user == user);
        // Whatever the answer will be, they do not want to wait any more.
        if speaks_for_them && self.room().is_none() {
            self.stay(Stay::Idle);
        }
        let (id, left) = (CommandId::new(), UserCommand::Left { user });
        match self.app.asker.ask_as::<UserView>(id, &left).await {
            // Old clients hear of no refusal, and do not say it again.
            Err(ApiError::Unavailable) if !self.modern => {
                let app = self.app.clone();
                tokio::spawn(async move { app.asker.insist_as(id, &left).await });
            }
            answer => {
                answer?;
            }
        }
        if speaks_for_them {
            self.let_go();
        }
        Ok(())
    }
}
