//! Somebody who uses *talk to me*, for tests and load: the REST of the gateway, and Socket.IO 5
//! over WebSocket as far as current clients use it. The real client libraries are tested apart.
//!
//! - [`Person`]: who they are, what they ask by REST.
//! - [`Socket`]: one connection; asks with acknowledgement, and waits for events.
//! - [`pair`]: two of them who have met.

mod meeting;
mod socket;

pub use meeting::pair;
pub use socket::{Event, Socket};

use anyhow::{Context as _, bail};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// How long anything may take before a test calls it missing. Generous: machines are noisy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody with a secret.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their id.
    pub user: String,
    /// What proves it.
    pub secret: String,
    http: Client,
}

impl Person {
    /// Opens the page: GET /auth.
    ///
    /// # Errors
    /// When the gateway does not answer as it should.
    pub async fn arrive(gateway: &str) -> anyhow::Result<Self> {
        let http = Client::new();
        let answer: Value = http.get(format!("{gateway}/auth")).send().await?.json().await?;
        let text = |field: &str| answer["data"][field].as_str().map(ToOwned::to_owned).context("no new user");
        Ok(Self { user: text("user_id")?, secret: text("secret")?, http })
    }

    /// Opens the second old front-end: POST /queue with an empty body.
    ///
    /// # Errors
    /// When the gateway does not answer as it should.
    pub async fn arrive_in_talk(gateway: &str) -> anyhow::Result<Self> {
        let http = Client::new();
        let answer: Value = http.post(format!("{gateway}/queue")).send().await?.json().await?;
        let text = |field: &str| answer["data"][field].as_str().map(ToOwned::to_owned).context("no new user");
        Ok(Self { user: text("id")?, secret: text("secret")?, http })
    }

    /// Connects as a current client does, authenticated in the handshake.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn connect(&self, gateway: &str) -> anyhow::Result<Socket> {
        Socket::connect(gateway, Some(json!({"secret": self.secret}))).await
    }

    /// Connects again after a loss, having seen this room sequence.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn resume(&self, gateway: &str, last_seq: u64) -> anyhow::Result<Socket> {
        Socket::connect(gateway, Some(json!({"secret": self.secret, "last_seq": last_seq}))).await
    }

    /// Connects as an old client does, which says `hello` afterwards.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn connect_and_hello(&self, gateway: &str) -> anyhow::Result<Socket> {
        let socket = Socket::connect(gateway, None).await?;
        socket.say("hello", &json!(self.secret)).await?;
        Ok(socket)
    }

    /// Posts JSON to a route, with the secret in it.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn post(&self, gateway: &str, route: &str, mut body: Value) -> anyhow::Result<(StatusCode, Value)> {
        body["secret"] = json!(self.secret);
        read(self.http.post(format!("{gateway}{route}")).json(&body).timeout(PATIENCE).send().await?).await
    }

    /// Posts a message of the first old front-end; the stored message.
    ///
    /// # Errors
    /// When it was not kept.
    pub async fn post_message(&self, gateway: &str, text: &str) -> anyhow::Result<Value> {
        let nonce = &uuid::Uuid::new_v4().simple().to_string()[..16];
        match self.post(gateway, "/messages", json!({"message": text, "nonce": nonce})).await? {
            (StatusCode::CREATED, answer) => Ok(answer["data"].clone()),
            (status, answer) => bail!("the message was not kept: {status} {answer}"),
        }
    }
}

async fn read(response: Response) -> anyhow::Result<(StatusCode, Value)> {
    let status = response.status();
    Ok((status, response.json().await.context("an answer that is no JSON")?))
}

/// A nonce that nobody has.
#[must_use]
pub fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
