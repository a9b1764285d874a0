//! What a current client sends in a room, messages and likes, until it is acknowledged.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use person::Socket;
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::link::Link;
use crate::{
    history::{Event, Ms},
    traffic::world::RETRY,
};

/// A gateway refuses after 5 s what could not be stored; the machine is busy.
const ACKNOWLEDGED: Duration = Duration::from_secs(9);
/// How many messages may be unacknowledged.
const UNACKNOWLEDGED: usize = 3;

/// A message that is not acknowledged yet.
struct Draft {
    nonce: String,
    tried: bool,
}

/// What a request was about.
enum Subject {
    Message { number: u64, nonce: String, first: bool },
    Like { message: String },
}

/// The acknowledgement of a request, or none in time.
pub(crate) struct Outcome {
    subject: Subject,
    after: Ms,
    envelope: Option<Value>,
}

/// Messages by the author's own number, and the requests that are under way.
#[derive(Default)]
pub(crate) struct Outbox {
    drafts: BTreeMap<u64, Draft>,
    written: u64,
    requests: JoinSet<Outcome>,
}

impl Outbox {
    /// Sends a new message, unless too many are under way.
    pub(crate) async fn send_new(&mut self, link: &Link) {
        if self.drafts.len() < UNACKNOWLEDGED {
            self.written += 1;
            self.drafts.insert(self.written, Draft { nonce: person::nonce(), tried: false });
            self.send(link, self.written).await;
        }
    }

    /// Sends again what was not acknowledged on the connection before.
    pub(crate) async fn send_all(&mut self, link: &Link) {
        for number in self.drafts.keys().copied().collect::<Vec<_>>() {
            self.send(link, number).await;
        }
    }

    async fn send(&mut self, link: &Link, number: u64) {
        let (Some(socket), Some(draft)) = (link.socket(), self.drafts.get_mut(&number)) else { return };
        let first = !std::mem::replace(&mut draft.tried, true);
        let nonce = draft.nonce.clone();
        link.note(Event::Sent { nonce: nonce.clone(), number, first });
        let outcome = request_message(socket, number, nonce, first).await;
        self.requests.spawn(outcome);
    }

    pub(crate) fn like(&mut self, link: &Link, message: String) {
        let Some(socket) = link.socket() else { return };
        self.requests.spawn(async move {
            let requested = Instant::now();
            let envelope = timeout(ACKNOWLEDGED, socket.request("like_message", json!({"message_id": message}))).await;
            outcome(Subject::Like { message }, requested, envelope.ok().and_then(Result::ok))
        });
    }

    /// The next acknowledgement; none while nothing is under way.
    pub(crate) async fn next(&mut self) -> Option<Outcome> {
        self.requests.join_next().await?.ok()
    }

    /// Records an acknowledgement; false when none came, so that the connection is of no use.
    pub(crate) async fn acknowledged(&mut self, link: &Link, outcome: Outcome) -> bool {
        let Outcome { subject, after, envelope } = outcome;
        let Some(envelope) = envelope else {
            link.note(refused(&subject, "nothing", link.gateway(), after));
            return false;
        };
        let code = envelope["code"].as_str().unwrap_or_default();
        if envelope["success"] != true {
            link.note(refused(&subject, code, link.gateway(), after));
        }
        match subject {
            Subject::Message { number, .. } if code == "unavailable" => self.send(link, number).await,
            Subject::Message { number, nonce, first } => {
                self.drafts.remove(&number);
                if envelope["success"] == true {
                    link.note(acknowledged(&envelope["data"], nonce, number, first));
                }
            }
            Subject::Like { message } if envelope["success"] == true => link.note(Event::Liked { message }),
            Subject::Like { .. } => {}
        }
        true
    }

    /// The connection is gone: no acknowledgement will come.
    pub(crate) fn stop(&mut self) {
        self.requests = JoinSet::new();
    }

    /// The room is over: nothing of it is sent again.
    pub(crate) fn clear(&mut self) {
        self.drafts.clear();
    }
}

/// Sends it at once, the first time; the future that is returned resolves with the acknowledgement.
async fn request_message(
    socket: Arc<Socket>,
    number: u64,
    nonce: String,
    first: bool,
) -> impl Future<Output = Outcome> + use<> {
    let message = json!({"content": format!("message {number}"), "nonce": nonce});
    let started = match first {
        true => Some(timeout(ACKNOWLEDGED, socket.start_request("send_message", &message)).await),
        false => None,
    };
    async move {
        if !first {
            sleep(RETRY).await;
        }
        let requested = Instant::now();
        let acknowledging = async {
            match started {
                Some(started) => anyhow::Ok(started??.await?),
                None => socket.request("send_message", message).await,
            }
        };
        let envelope = timeout(ACKNOWLEDGED, acknowledging).await;
        outcome(Subject::Message { number, nonce, first }, requested, envelope.ok().and_then(Result::ok))
    }
}

fn outcome(subject: Subject, requested: Instant, envelope: Option<Value>) -> Outcome {
    let after = Ms::try_from(requested.elapsed().as_millis()).unwrap_or(Ms::MAX);
    Outcome { subject, after, envelope }
}

fn refused(subject: &Subject, reply: &str, gateway: usize, after: Ms) -> Event {
    let (Subject::Message { nonce, .. } | Subject::Like { message: nonce }) = subject;
    Event::Refused { nonce: nonce.clone(), reply: reply.to_owned(), gateway, after }
}

fn acknowledged(data: &Value, nonce: String, number: u64, first: bool) -> Event {
    let room = data["room_id"].as_str().unwrap_or_default().to_owned();
    Event::Acknowledged { nonce, number, room, seq: data["seq"].as_u64().unwrap_or_default(), first }
}
