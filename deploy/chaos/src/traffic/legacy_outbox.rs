//! What somebody with an old front-end says, by REST, and what becomes of it.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    history::{Event, Ms},
    old::{Kind, Old},
    talking::AGAIN,
};

/// A POST is answered in 5 s; the machine is noisy.
const ANSWERED: Duration = Duration::from_secs(9);

/// A message that is not acknowledged.
#[derive(Clone)]
pub(crate) struct Draft {
    number: u64,
    nonce: String,
    first: bool,
}

pub(crate) struct Answer {
    draft: Draft,
    gateway: usize,
    after: Ms,
    answer: Option<(StatusCode, Value)>,
}

impl Old {
    pub(crate) fn say_something(&mut self) {
        // Several at once may overtake each other on their way, over as many connections.
        if self.sending.is_empty() {
            self.said += 1;
            self.post(Draft { number: self.said, nonce: person::nonce()[..16].to_owned(), first: true });
        }
    }

    fn post(&mut self, draft: Draft) {
        self.note(Event::Sent { nonce: draft.nonce.clone(), number: draft.number, first: draft.first });
        let (person, url, gateway) = (self.person.clone(), self.url(), self.gateway);
        let (text, nonce) = (format!("message {}", draft.number), &draft.nonce);
        let body = match self.kind {
            Kind::Angular => json!({"message": text, "nonce": nonce}),
            Kind::React => json!({"content": text, "message_id": nonce, "user_id": person.user}),
        };
        self.sending.spawn(async move {
            if !draft.first {
                sleep(AGAIN).await;
            }
            let asked = Instant::now();
            let answer = timeout(ANSWERED, person.post(&url, "/messages", body)).await;
            let after = Ms::try_from(asked.elapsed().as_millis()).unwrap_or(Ms::MAX);
            Answer { draft, gateway, after, answer: answer.ok().and_then(Result::ok) }
        });
    }

    pub(crate) fn answered(&mut self, Answer { draft, gateway, after, answer }: Answer) {
        let Draft { number, nonce, first } = draft;
        let Some((status, answer)) = answer else {
            // The gateway is gone, or hangs: once more, through another one.
            self.note(Event::Refused { nonce: nonce.clone(), answer: "nothing".to_owned(), gateway, after });
            self.gateway = (self.gateway + 1) % self.world.gateways.len();
            return self.post(Draft { number, nonce, first: false });
        };
        if status == StatusCode::CREATED {
            let room = answer["data"]["room_id"].as_str().unwrap_or_default().to_owned();
            let seq = answer["data"]["seq"].as_u64().unwrap_or_default();
            return self.note(Event::Acknowledged { nonce, number, room, seq, first });
        }
        let again = status == StatusCode::SERVICE_UNAVAILABLE;
        self.note(Event::Refused { nonce: nonce.clone(), answer: status.to_string(), gateway, after });
        if again {
            self.post(Draft { number, nonce, first: false });
        }
    }
}
