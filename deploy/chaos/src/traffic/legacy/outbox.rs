//! The messages of a legacy client, by REST, until they are acknowledged.

use std::{sync::Arc, time::Duration};

use person::Person;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::history::{Event, Ms};
use crate::traffic::world::{RETRY, World};

/// A POST is answered in 5 s; the machine is busy.
const ACKNOWLEDGED: Duration = Duration::from_secs(9);

/// Which legacy client.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Angular,
    React,
}

/// A message that is not acknowledged.
#[derive(Clone)]
struct Draft {
    number: u64,
    nonce: String,
    first: bool,
}

/// The reply to a POST, or none in time.
pub(crate) struct Outcome {
    draft: Draft,
    gateway: usize,
    after: Ms,
    reply: Option<(StatusCode, Value)>,
}

/// One message at a time: several may overtake each other on as many connections.
pub(crate) struct LegacyOutbox {
    world: Arc<World>,
    person: Person,
    kind: Kind,
    written: u64,
    requests: JoinSet<Outcome>,
}

impl LegacyOutbox {
    pub(crate) fn new(world: Arc<World>, person: Person, kind: Kind) -> Self {
        Self { world, person, kind, written: 0, requests: JoinSet::new() }
    }

    /// Posts a new message, unless one is under way.
    pub(crate) fn send_new(&mut self, gateway: usize) {
        if self.requests.is_empty() {
            self.written += 1;
            let nonce = person::nonce()[..16].to_owned();
            self.post(gateway, Draft { number: self.written, nonce, first: true });
        }
    }

    fn post(&mut self, gateway: usize, draft: Draft) {
        self.note(Event::Sent { nonce: draft.nonce.clone(), number: draft.number, first: draft.first });
        let (person, url) = (self.person.clone(), self.world.url(gateway).to_owned());
        let (text, nonce) = (format!("message {}", draft.number), &draft.nonce);
        let body = match self.kind {
            Kind::Angular => json!({"message": text, "nonce": nonce}),
            Kind::React => json!({"content": text, "message_id": nonce, "user_id": person.user}),
        };
        self.requests.spawn(async move {
            if !draft.first {
                sleep(RETRY).await;
            }
            let requested = Instant::now();
            let reply = timeout(ACKNOWLEDGED, person.post(&url, "/messages", body)).await;
            let after = Ms::try_from(requested.elapsed().as_millis()).unwrap_or(Ms::MAX);
            Outcome { draft, gateway, after, reply: reply.ok().and_then(Result::ok) }
        });
    }

    /// The next reply; none while nothing is under way.
    pub(crate) async fn next(&mut self) -> Option<Outcome> {
        self.requests.join_next().await?.ok()
    }

    /// Records a reply; what was not stored is posted again. Answers which gateway to use from now on.
    pub(crate) fn acknowledged(&mut self, Outcome { draft, gateway, after, reply }: Outcome) -> usize {
        let Draft { number, nonce, .. } = draft.clone();
        let again = Draft { first: false, ..draft.clone() };
        let Some((status, envelope)) = reply else {
            // The gateway is gone, or hangs: once more, through another one.
            self.note(Event::Refused { nonce, reply: "nothing".to_owned(), gateway, after });
            let next = (gateway + 1) % self.world.gateways();
            self.post(next, again);
            return next;
        };
        if status == StatusCode::CREATED {
            let room = envelope["data"]["room_id"].as_str().unwrap_or_default().to_owned();
            let seq = envelope["data"]["seq"].as_u64().unwrap_or_default();
            self.note(Event::Acknowledged { nonce, number, room, seq, first: draft.first });
            return gateway;
        }
        self.note(Event::Refused { nonce, reply: status.to_string(), gateway, after });
        if status == StatusCode::SERVICE_UNAVAILABLE {
            self.post(gateway, again);
        }
        gateway
    }

    fn note(&self, what: Event) {
        self.world.note(&self.person.user, what);
    }
}
