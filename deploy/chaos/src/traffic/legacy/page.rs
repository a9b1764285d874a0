//! A legacy client without a will of its own: connects, queues, receives, posts messages and says goodbye in the way of
//! its kind, and records it. `legacy` decides what the user does with it.

use std::{sync::Arc, time::Duration};

use person::{Event as Incoming, Person, Socket};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::outbox::{Kind, LegacyOutbox};
use crate::{
    history::Event,
    traffic::{
        habits::Exit,
        world::{PATIENCE, RETRY, World},
    },
};

/// How often a place in the queue is requested until the user gives up: what was left may still be in the way.
const QUEUE_TRIES: u32 = 8;

/// A page with a legacy client.
pub(crate) struct LegacyPage {
    world: Arc<World>,
    kind: Kind,
    person: Person,
    gateway: usize,
    connection: Option<(Arc<Socket>, u32)>,
    outbox: LegacyOutbox,
}

impl LegacyPage {
    pub(crate) fn new(world: Arc<World>, kind: Kind, person: Person, gateway: usize) -> Self {
        let outbox = LegacyOutbox::new(world.clone(), person.clone(), kind);
        Self { world, kind, person, gateway, connection: None, outbox }
    }

    pub(crate) fn note(&self, what: Event) {
        self.world.note(&self.person.user, what);
    }

    pub(crate) fn socket(&self) -> Option<Arc<Socket>> {
        self.connection.as_ref().map(|(socket, _)| socket.clone())
    }

    /// Uses the other gateway from now on.
    pub(crate) fn next_gateway(&mut self) {
        self.gateway = (self.gateway + 1) % self.world.gateways();
    }

    /// Opens the socket and sends the secret.
    pub(crate) async fn connect(&mut self) -> bool {
        self.note(Event::Connecting);
        let event = if self.kind == Kind::React { "register_sid" } else { "hello" };
        let opening = async {
            let socket = Socket::connect(self.world.url(self.gateway), None).await?;
            socket.emit(event, &json!(self.person.secret)).await?;
            anyhow::Ok(socket)
        };
        let Ok(Ok(socket)) = timeout(PATIENCE, opening).await else {
            self.note(Event::ConnectFailed);
            return false;
        };
        let number = self.world.next_connection();
        self.connection = Some((Arc::new(socket), number));
        let (gateway, state) = (self.gateway, String::new());
        self.note(Event::Connected { connection: number, gateway, state, room: None, last_seq: None, legacy: true });
        true
    }

    /// The first form of the request, which only Angular uses; false when there is no place.
    pub(crate) async fn queue(&mut self, queue: &str) -> bool {
        for _ in 0..QUEUE_TRIES {
            self.note(Event::QueueRequested);
            let body = json!({"queueType": queue});
            let reply = timeout(PATIENCE, self.person.post(self.world.url(self.gateway), "/queue", body)).await;
            let Ok(Ok((status, _))) = reply else { return false };
            if status == StatusCode::OK {
                self.note(Event::Queued { queue: queue.to_owned() });
                self.skip_what_came_too_early().await;
                return true;
            }
            sleep(RETRY).await;
        }
        false
    }

    /// The Angular client subscribes to a match only from then on.
    async fn skip_what_came_too_early(&self) {
        let Some(socket) = self.socket() else { return };
        while let Ok(Some(_missed)) = socket.next_within(Duration::ZERO).await {}
    }

    /// Records what came on the socket; its name.
    pub(crate) fn receive(&self, event: Incoming) -> String {
        match event.name.as_str() {
            "queue_complete" => self.note(Event::Matched),
            "user_connected" => self.note(Event::PartnerConnected),
            "user_disconnected" => self.note(Event::PartnerLost),
            "send_message_to_client" => self.receive_message(&event.data),
            "message_liked" => {
                let message = event.data["message_id"].as_str().unwrap_or_default().to_owned();
                self.note(Event::LikeReceived { message });
            }
            _ => {}
        }
        event.name
    }

    fn receive_message(&self, message: &Value) {
        let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
        let connection = self.connection.as_ref().map_or(0, |(_, number)| *number);
        let seq = message["seq"].as_u64().unwrap_or_default();
        let (author, nonce, room) = (text("author"), text("nonce"), text("room_id"));
        self.note(Event::Received { connection, room, seq, author, nonce, replayed: false });
    }

    pub(crate) async fn join_room(&self) {
        if let Some(socket) = self.socket() {
            // Fails when the connection is closed, which is the next event.
            let _closed = socket.emit("join_room", &json!(self.person.secret)).await;
        }
    }

    pub(crate) fn send_message(&mut self) {
        self.outbox.send_new(self.gateway);
    }

    /// Records the next reply to a message; never returns while none is under way.
    pub(crate) async fn next_reply(&mut self) {
        match self.outbox.next().await {
            Some(outcome) => self.gateway = self.outbox.acknowledged(outcome),
            None => std::future::pending().await,
        }
    }

    /// Says goodbye in this way; false when the connection was closed before.
    pub(crate) async fn say_goodbye(&self, exit: Exit) -> bool {
        let Some(socket) = self.socket() else { return false };
        self.note(Event::Leaving);
        let sent = match exit {
            Exit::LeaveRoom => socket.emit("leave_room", &json!(self.person.secret)).await,
            Exit::Disconnect | Exit::CloseTab => socket.send_disconnect().await,
        };
        if sent.is_ok() {
            self.note(Event::Left);
        }
        sent.is_ok()
    }

    /// Closes the connection, or notes that the gateway closed it.
    pub(crate) fn close(&mut self, by_client: bool) {
        if let Some((_, connection)) = self.connection.take() {
            self.note(Event::Disconnected { connection, by_client });
        }
    }

    /// The network drops the packets of the connection.
    pub(crate) fn silence(&mut self) {
        if let Some((socket, connection)) = self.connection.take() {
            self.note(Event::Silenced { connection });
            self.world.keep_half_open(socket);
        }
    }
}
