//! A simulated person with one of the two old front-ends, as far as they differ from a current client: the secret
//! as the only argument, messages by REST, no word of what was seen. After a lost connection the React client says
//! `register_sid` again; the Angular client says nothing any more, and stays deaf.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use person::{Person, Socket};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{history::Event, life::PATIENCE, people::World, posting::Answer};

/// How long somebody waits, or looks at a page on which nothing happens.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long somebody without a partner waits for them to come back.
const ALONE: Duration = Duration::from_secs(8);

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Angular,
    React,
}

pub(crate) struct Old {
    pub(crate) world: Arc<World>,
    pub(crate) rng: Rng,
    pub(crate) kind: Kind,
    pub(crate) person: Person,
    pub(crate) gateway: usize,
    line: Option<(Arc<Socket>, u32)>,
    in_room: bool,
    alone: Option<Instant>,
    pub(crate) said: u64,
    pub(crate) sending: JoinSet<Answer>,
    leaves_at: Instant,
}

/// Lives one life.
pub(crate) async fn live(world: Arc<World>, mut rng: Rng) {
    let gateway = rng.usize(..world.gateways.len());
    let kind = [Kind::Angular, Kind::React][rng.usize(..2)];
    let url = &world.gateways[gateway];
    let arriving = async {
        match kind {
            Kind::Angular => Person::arrive(url).await,
            Kind::React => Person::arrive_in_talk(url).await,
        }
    };
    let Ok(Ok(person)) = timeout(PATIENCE, arriving).await else {
        return sleep(Duration::from_millis(300)).await;
    };
    let (line, sending, leaves_at) = (None, JoinSet::new(), Instant::now() + LONGEST_WAIT);
    let mut life =
        Old { world, rng, kind, person, gateway, line, in_room: false, alone: None, said: 0, sending, leaves_at };
    if life.come().await {
        while life.next_moment().await {}
    }
    life.lose(true);
    life.note(Event::Vanished);
}

impl Old {
    /// The page is open and waits in a queue; false when it could not.
    async fn come(&mut self) -> bool {
        if self.kind == Kind::React {
            self.note(Event::Queued { queue: "talk".to_owned() });
        }
        if !self.connect().await {
            return false;
        }
        if self.kind == Kind::React {
            return true;
        }
        let queue = ["vent", "listen", "talk"][self.rng.usize(..3)];
        let body = json!({"queueType": queue});
        let answer = timeout(PATIENCE, self.person.post(&self.url(), "/queue", body)).await;
        if !matches!(answer, Ok(Ok((StatusCode::OK, _)))) {
            return false;
        }
        self.note(Event::Queued { queue: queue.to_owned() });
        self.forget_what_came_too_early().await;
        true
    }

    /// The Angular client listens for a match only from then on.
    async fn forget_what_came_too_early(&self) {
        let Some((socket, _)) = &self.line else { return };
        while let Ok(Some(_unheard)) = socket.next_within(Duration::ZERO).await {}
    }

    pub(crate) fn url(&self) -> String {
        self.world.gateways[self.gateway].clone()
    }

    /// Opens the socket and says who they are.
    async fn connect(&mut self) -> bool {
        self.note(Event::Coming);
        let (url, secret) = (self.url(), json!(self.person.secret));
        let word = if self.kind == Kind::React { "register_sid" } else { "hello" };
        let connecting = async {
            let socket = Socket::connect(&url, None).await?;
            socket.emit(word, &secret).await?;
            anyhow::Ok(socket)
        };
        let Ok(Ok(socket)) = timeout(PATIENCE, connecting).await else {
            self.note(Event::Missed);
            return false;
        };
        let number = self.world.number();
        self.line = Some((Arc::new(socket), number));
        let (gateway, state, room) = (self.gateway, String::new(), None);
        self.note(Event::Connected { connection: number, gateway, state, room, last_seq: None, old: true });
        true
    }

    fn lose(&mut self, cut: bool) {
        if let Some((_, connection)) = self.line.take() {
            self.note(Event::Lost { connection, cut });
        }
    }

    /// Whatever happens next; false when the page is closed.
    async fn next_moment(&mut self) -> bool {
        let socket = self.line.as_ref().map(|(socket, _)| socket.clone());
        let idea = Instant::now() + Duration::from_millis(self.rng.u64(200..1_200));
        let event = async {
            match &socket {
                Some(socket) => socket.next_within(Duration::from_secs(3600)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = event => match event {
                Ok(Some(event)) => self.hear(&event.name, &event.data).await,
                Ok(None) => {}
                Err(_gone) => {
                    drop(socket);
                    return self.is_cut_off(false).await;
                }
            },
            Some(Ok(answer)) = self.sending.join_next() => self.answered(answer),
            () = sleep_until(idea) => { drop(socket); return self.has_an_idea().await }
        }
        true
    }

    /// React finds a gateway and registers again; Angular goes on, and does not know that nobody tells it anything.
    async fn is_cut_off(&mut self, cut: bool) -> bool {
        self.lose(cut);
        if self.kind == Kind::Angular {
            self.leaves_at = self.leaves_at.min(Instant::now() + Duration::from_secs(5));
            self.gateway = (self.gateway + 1) % self.world.gateways.len();
            return true;
        }
        let deadline = Instant::now() + Duration::from_secs(40);
        while Instant::now() < deadline {
            sleep(Duration::from_millis(self.rng.u64(100..1_500))).await;
            self.gateway = (self.gateway + 1) % self.world.gateways.len();
            if self.connect().await {
                return true;
            }
        }
        false
    }

    async fn hear(&mut self, event: &str, data: &Value) {
        match event {
            "queue_complete" => {
                self.note(Event::Matched);
                if !self.in_room {
                    let staying = Duration::from_millis(self.rng.u64(4_000..15_000));
                    (self.in_room, self.leaves_at) = (true, Instant::now() + staying);
                }
                let Some((socket, _)) = &self.line else { return };
                // When it fails the connection is gone, which comes next.
                let _gone = socket.emit("join_room", &json!(self.person.secret)).await;
            }
            "user_connected" => {
                self.alone = None;
                self.note(Event::PartnerHere);
            }
            "user_disconnected" => {
                self.alone = Some(Instant::now());
                self.note(Event::PartnerLost);
            }
            "send_message_to_client" => self.received(data),
            _ => {}
        }
    }

    fn received(&self, message: &Value) {
        let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
        let connection = self.line.as_ref().map_or(0, |(_, number)| *number);
        let seq = message["seq"].as_u64().unwrap_or_default();
        let (author, nonce, room) = (text("author"), text("nonce"), text("room_id"));
        self.note(Event::Received { connection, room, seq, author, nonce, missed: false });
    }

    async fn has_an_idea(&mut self) -> bool {
        let given_up = self.alone.is_some_and(|since| since.elapsed() > ALONE);
        if self.world.closing() || given_up || Instant::now() > self.leaves_at {
            return self.leave().await;
        }
        match self.rng.u32(..1000) {
            0..20 => return self.is_cut_off(true).await,
            20..28 => return false,
            _ if self.in_room => self.say_something(),
            _ => {}
        }
        true
    }

    /// Angular has a word for it, React disconnects; some just close the page.
    async fn leave(&mut self) -> bool {
        if self.rng.u32(..4) == 0 {
            return false;
        }
        let Some((socket, connection)) = self.line.take() else { return false };
        self.note(Event::Leaving);
        match self.kind {
            Kind::Angular => drop(socket.emit("leave_room", &json!(self.person.secret)).await),
            Kind::React => drop(socket.send_disconnect().await),
        }
        // The page stays open for a moment.
        sleep(Duration::from_millis(300)).await;
        self.note(Event::Lost { connection, cut: true });
        false
    }

    pub(crate) fn note(&self, what: Event) {
        self.world.history.note(&self.person.user, what);
    }
}
