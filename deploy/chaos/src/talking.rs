//! What a simulated person is told, and what becomes of what they say.

use std::{sync::Arc, time::Duration};

use person::Socket;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    history::{Event, Ms},
    life::{Life, PATIENCE, Stage},
};

/// A gateway has 5 s to say that it could not be kept; the machine is noisy.
const ACKNOWLEDGED: Duration = Duration::from_secs(9);
/// How soon what could not be kept is sent again.
pub(crate) const AGAIN: Duration = Duration::from_millis(500);

/// A message that is not acknowledged yet.
pub(crate) struct Draft {
    pub(crate) nonce: String,
    pub(crate) tried: bool,
}

impl Draft {
    pub(crate) fn new() -> Self {
        Self { nonce: person::nonce(), tried: false }
    }
}

/// What came of asking.
pub(crate) enum Answer {
    Liked,
    Message { number: u64, nonce: String, first: bool, after: Ms, answer: Option<Value> },
}

/// Says it at once, the first time; answers with what comes of it.
pub(crate) async fn ask_to_send(
    socket: Arc<Socket>,
    number: u64,
    nonce: String,
    first: bool,
) -> impl Future<Output = Answer> + use<> {
    let message = json!({"content": format!("message {number}"), "nonce": nonce});
    let said =
        if first { Some(timeout(ACKNOWLEDGED, socket.start_request("send_message", &message)).await) } else { None };
    async move {
        if !first {
            sleep(AGAIN).await;
        }
        let asked = Instant::now();
        let answering = async {
            match said {
                Some(said) => anyhow::Ok(said??.await?),
                None => socket.request("send_message", message).await,
            }
        };
        let answer = timeout(ACKNOWLEDGED, answering).await;
        answer_to(number, nonce, first, asked, answer.ok().and_then(Result::ok))
    }
}

fn answer_to(number: u64, nonce: String, first: bool, asked: Instant, answer: Option<Value>) -> Answer {
    let after = Ms::try_from(asked.elapsed().as_millis()).unwrap_or(Ms::MAX);
    Answer::Message { number, nonce, first, after, answer }
}

impl Life {
    pub(crate) fn like(&mut self) {
        let (Some(line), Some(message_id)) = (&self.line, self.heard.take()) else { return };
        let socket = line.socket.clone();
        self.sending.spawn(async move {
            let _answer = timeout(PATIENCE, socket.request("like_message", json!({"message_id": message_id}))).await;
            Answer::Liked
        });
    }

    pub(crate) async fn say_something(&mut self) {
        if self.drafts.len() >= 3 {
            return;
        }
        self.said += 1;
        self.drafts.insert(self.said, Draft::new());
        self.send(self.said).await;
    }

    pub(crate) async fn shout(&mut self) {
        for _ in 0..3 {
            if self.stage == Stage::Room {
                self.say_something().await;
            }
        }
    }

    pub(crate) async fn send(&mut self, number: u64) {
        let (Some(line), Some(draft)) = (&self.line, self.drafts.get_mut(&number)) else { return };
        let first = !std::mem::replace(&mut draft.tried, true);
        let nonce = draft.nonce.clone();
        let socket = line.socket.clone();
        self.note(Event::Sent { nonce: nonce.clone(), number, first });
        let answer = ask_to_send(socket, number, nonce, first).await;
        self.sending.spawn(answer);
    }

    pub(crate) fn hear(&mut self, event: &str, data: &Value) {
        match event {
            "resumed" => self.resumed(data),
            "queue_complete" => {
                self.note(Event::Matched);
                self.enter_room();
            }
            "queue_returned" => {
                self.note(Event::Returned);
                self.enter(Stage::Waiting);
                self.forget_room();
            }
            "send_message_to_client" => self.received(data, false),
            "user_connected" => self.note(Event::PartnerHere),
            "user_disconnected" => self.note(Event::PartnerLost),
            // A page stops then.
            "replaced" => {
                self.note(Event::Replaced);
                self.enter(Stage::Over);
            }
            "room_ended" => {
                self.note(Event::Ended);
                self.enter(Stage::Over);
            }
            _ => {}
        }
    }

    fn enter_room(&mut self) {
        if self.stage != Stage::Room {
            self.forget_room();
        }
        self.enter(Stage::Room);
    }

    fn forget_room(&mut self) {
        self.seen = 0;
        self.room = None;
        self.drafts.clear();
    }

    fn resumed(&mut self, data: &Value) {
        match data["state"].as_str().unwrap_or_default() {
            "room" => {
                self.enter_room();
                let messages = data["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
                messages.iter().for_each(|message| self.received(message, true));
            }
            "waiting" => {
                self.enter(Stage::Waiting);
                self.forget_room();
            }
            "over" => self.enter(Stage::Over),
            // Whoever was thought to wait was away too long, or never came so far.
            _ => self.enter(Stage::Idle),
        }
    }

    fn received(&mut self, message: &Value, missed: bool) {
        let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
        let seq = message["seq"].as_u64().unwrap_or_default();
        let connection = self.line.as_ref().map_or(0, |line| line.number);
        let (author, nonce, room) = (text("author"), text("nonce"), text("room_id"));
        if author != self.person.user {
            self.heard = Some(text("_id"));
        }
        self.room = Some(room.clone());
        self.seen = self.seen.max(seq);
        self.note(Event::Received { connection, room, seq, author, nonce, missed });
    }

    pub(crate) async fn answered(&mut self, answer: Answer) {
        let Answer::Message { number, nonce, first, after, answer } = answer else { return };
        let gateway = self.line.as_ref().map_or(0, |line| line.gateway);
        let Some(answer) = answer else {
            // No word at all: the connection hangs, a page would try another way.
            self.note(Event::Refused { nonce, answer: "nothing".to_owned(), gateway, after });
            return self.cut(false);
        };
        if answer["success"] == true {
            let room = answer["data"]["room_id"].as_str().unwrap_or_default().to_owned();
            let seq = answer["data"]["seq"].as_u64().unwrap_or_default();
            self.note(Event::Acknowledged { nonce, number, room, seq, first });
            self.drafts.remove(&number);
            return;
        }
        let code = answer["code"].as_str().unwrap_or_default().to_owned();
        let again = code == "unavailable";
        self.note(Event::Refused { nonce, answer: code, gateway, after });
        if again {
            self.send(number).await;
        } else {
            self.drafts.remove(&number);
        }
    }
}
