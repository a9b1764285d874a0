//! A current client without a will of its own: keeps its link, its place and its outbox in step with what the gateway
//! sends, and records it. `current` decides what the user does with it.

use std::{sync::Arc, time::Duration};

use person::{Event as Incoming, Person, Socket};
use serde_json::{Value, json};

use super::{
    link::{Link, Opened},
    outbox::{Outbox, Outcome},
    place::{Place, Reaction, Stage},
};
use crate::{history::Event, traffic::world::World};

/// A page with a current client.
pub(crate) struct Page {
    link: Link,
    outbox: Outbox,
    place: Place,
}

impl Page {
    pub(crate) fn new(world: Arc<World>, person: Person) -> Self {
        Self { link: Link::new(world, person), outbox: Outbox::default(), place: Place::new() }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.place.stage()
    }

    /// How long the page has been in this stage.
    pub(crate) fn since(&self) -> Duration {
        self.place.since()
    }

    pub(crate) fn socket(&self) -> Option<Arc<Socket>> {
        self.link.socket()
    }

    pub(crate) fn note(&self, what: Event) {
        self.link.note(what);
    }

    /// Goes to a stage.
    pub(crate) fn enter(&mut self, stage: Stage) {
        if self.place.enter(stage) {
            self.outbox.clear();
        }
    }

    /// Opens a connection, beside the one that there is, which receives until then; none when the gateway did not reply.
    pub(crate) async fn connect(&mut self, gateway: usize) -> Option<Reaction> {
        let opening = self.link.open(gateway, self.place.last_seq());
        tokio::pin!(opening);
        let mut reaction = Reaction::None;
        let opened = loop {
            let socket = self.socket();
            tokio::select! {
                opened = &mut opening => break opened?,
                incoming = receive_on(socket.as_deref()) => match self.receive(incoming) {
                    // As it should be.
                    Reaction::Replaced => self.close(false),
                    Reaction::None | Reaction::Closed => {}
                    other => reaction = other,
                }
            }
        };
        let over = self.resume(opened).await;
        Some(if over { Reaction::RoomOver } else { reaction })
    }

    /// Takes over the state in `resumed`; true when the room is over.
    async fn resume(&mut self, opened: Opened) -> bool {
        let resumed = self.link.use_opened(opened);
        // What is under way is sent again on the new connection.
        self.outbox.stop();
        self.enter(Place::stage_of(&resumed));
        for message in resumed["messages"].as_array().into_iter().flatten() {
            self.receive_message(message, true);
        }
        self.outbox.send_all(&self.link).await;
        self.stage() == Stage::Over
    }

    /// Opens a tab that stays open beside those that follow.
    pub(crate) async fn open_older_tab(&mut self, gateway: usize) -> bool {
        self.link.open_older_tab(gateway).await
    }

    /// The next acknowledgement; none while nothing is under way.
    pub(crate) async fn next_outcome(&mut self) -> Option<Outcome> {
        self.outbox.next().await
    }

    pub(crate) async fn acknowledged(&mut self, outcome: Outcome) {
        if !self.outbox.acknowledged(&self.link, outcome).await {
            self.close(false);
        }
    }

    /// Takes in what came on the socket.
    pub(crate) fn receive(&mut self, incoming: anyhow::Result<Option<Incoming>>) -> Reaction {
        match incoming {
            Ok(Some(event)) => self.receive_event(&event.name, &event.data),
            Ok(None) => Reaction::None,
            Err(_closed) => {
                self.close(false);
                Reaction::Closed
            }
        }
    }

    fn receive_event(&mut self, event: &str, data: &Value) -> Reaction {
        match event {
            "queue_complete" => {
                self.note(Event::Matched);
                self.enter(Stage::Room);
                return Reaction::Match;
            }
            "queue_returned" => {
                self.note(Event::Requeued);
                self.enter(Stage::Waiting);
            }
            "send_message_to_client" => self.receive_message(data, false),
            "message_liked" => {
                let message = data["message_id"].as_str().unwrap_or_default().to_owned();
                self.note(Event::LikeReceived { message });
            }
            "user_connected" => self.note(Event::PartnerConnected),
            "user_disconnected" => self.note(Event::PartnerLost),
            "replaced" => {
                self.note(Event::Replaced { connection: self.link.number() });
                return Reaction::Replaced;
            }
            "room_ended" => {
                self.note(Event::RoomEnded);
                return Reaction::RoomOver;
            }
            _ => {}
        }
        Reaction::None
    }

    fn receive_message(&mut self, message: &Value, replayed: bool) {
        let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
        let seq = message["seq"].as_u64().unwrap_or_default();
        let (author, nonce, room) = (text("author"), text("nonce"), text("room_id"));
        self.place.received(seq, (author != self.link.user()).then(|| text("_id")));
        let connection = self.link.number();
        self.note(Event::Received { connection, room, seq, author, nonce, replayed });
    }

    /// Requests a place in a queue; false when there is none for now.
    pub(crate) async fn queue(&mut self, queue: &str) -> bool {
        self.note(Event::QueueRequested);
        let Some(envelope) = self.request("request_queue", json!({"queue": queue})).await else { return false };
        let code = envelope["code"].as_str().unwrap_or_default();
        let queued = envelope["success"] == true || code == "already_waiting" || code == "in_room";
        if queued {
            self.note(Event::Queued { queue: queue.to_owned() });
            self.enter(Stage::Waiting);
        }
        queued
    }

    /// Leaves; false when that was not acknowledged.
    pub(crate) async fn leave(&mut self) -> bool {
        self.note(Event::Leaving);
        let envelope = self.request("leave_room", Value::Null).await;
        let left = envelope.is_some_and(|envelope| envelope["success"] == true);
        if left {
            self.note(Event::Left);
            self.skip_what_came_before().await;
        }
        left
    }

    /// Events that the gateway sent before the acknowledgement are about what was left.
    async fn skip_what_came_before(&self) {
        let Some(socket) = self.socket() else { return };
        while let Ok(Some(_outdated)) = socket.next_within(Duration::ZERO).await {}
    }

    async fn request(&mut self, event: &str, data: Value) -> Option<Value> {
        let envelope = self.link.request(event, data).await;
        if envelope.is_none() {
            self.outbox.stop();
        }
        envelope
    }

    pub(crate) async fn send_message(&mut self) {
        self.outbox.send_new(&self.link).await;
    }

    /// Sends some messages at once, in a room.
    pub(crate) async fn burst(&mut self) {
        for _ in 0..3 {
            if self.stage() == Stage::Room {
                self.send_message().await;
            }
        }
    }

    /// Likes the partner's last message, if it is not liked yet.
    pub(crate) fn like(&mut self) {
        if let Some(message) = self.place.take_likeable() {
            self.outbox.like(&self.link, message);
        }
    }

    /// Leaves the namespace, which is a lost connection for current clients, and closes the connection.
    pub(crate) async fn disconnect(&mut self) {
        if let Some(socket) = self.socket() {
            // Fails when the connection is closed already.
            let _closed = socket.send_disconnect().await;
        }
        self.close(true);
    }

    /// Closes the connection, or notes that the gateway closed it.
    pub(crate) fn close(&mut self, by_client: bool) {
        self.outbox.stop();
        self.link.close(by_client);
    }

    /// The network drops the packets of the connection.
    pub(crate) fn silence(&mut self) {
        self.outbox.stop();
        self.link.silence();
    }

    /// Closes all tabs.
    pub(crate) fn close_all(&mut self) {
        self.outbox.stop();
        self.link.close_all();
    }
}

/// The next event; never without a connection.
async fn receive_on(socket: Option<&Socket>) -> anyhow::Result<Option<Incoming>> {
    match socket {
        Some(socket) => socket.next_within(Duration::from_secs(3600)).await,
        None => std::future::pending().await,
    }
}
