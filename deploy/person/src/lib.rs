//! A client of *talk to me* for tests and load: the REST API of the gateway, and Socket.IO 5 over WebSocket as far as
//! current clients use it. The real client libraries are tested in `deploy/clients`.
//!
//! - [`Person`]: a user id with its secret, and REST requests.
//! - [`Socket`]: one connection; emits events, requests with acknowledgement, waits for events.
//! - [`pair`]: two clients that were matched and have entered their room.

mod meeting;
mod socket;

pub use meeting::pair;
pub use socket::{Event, Socket};

use anyhow::{Context as _, bail};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// How long anything may take before a test fails. Generous, since test machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A user and the secret that proves it.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user's id.
    pub user: String,
    /// The signed token of this user.
    pub secret: String,
    http: Client,
}

impl Person {
    /// Creates a user as the Angular client does: GET /auth.
    ///
    /// # Errors
    /// When the gateway does not reply as the contract says.
    pub async fn arrive(gateway: &str) -> anyhow::Result<Self> {
        let http = Client::new();
        let envelope: Value = http.get(format!("{gateway}/auth")).send().await?.json().await?;
        let text = |field: &str| envelope["data"][field].as_str().map(ToOwned::to_owned).context("no new user");
        Ok(Self { user: text("user_id")?, secret: text("secret")?, http })
    }

    /// Creates a user who waits in talk, as the React client does: POST /queue with an empty body.
    ///
    /// # Errors
    /// When the gateway does not reply as the contract says.
    pub async fn arrive_in_talk(gateway: &str) -> anyhow::Result<Self> {
        let http = Client::new();
        let envelope: Value = http.post(format!("{gateway}/queue")).send().await?.json().await?;
        let text = |field: &str| envelope["data"][field].as_str().map(ToOwned::to_owned).context("no new user");
        Ok(Self { user: text("id")?, secret: text("secret")?, http })
    }

    /// Connects as a current client does, with the secret in the handshake.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn connect(&self, gateway: &str) -> anyhow::Result<Socket> {
        Socket::connect(gateway, Some(json!({"secret": self.secret}))).await
    }

    /// Connects again after a loss; `last_seq` is the last room sequence that was received.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn resume(&self, gateway: &str, last_seq: u64) -> anyhow::Result<Socket> {
        Socket::connect(gateway, Some(json!({"secret": self.secret, "last_seq": last_seq}))).await
    }

    /// Connects as the Angular client does, which emits `hello` afterwards.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn connect_and_hello(&self, gateway: &str) -> anyhow::Result<Socket> {
        let socket = Socket::connect(gateway, None).await?;
        socket.emit("hello", &json!(self.secret)).await?;
        Ok(socket)
    }

    /// Posts JSON to a route, with the secret added.
    ///
    /// # Errors
    /// When no reply comes, or one that is not JSON.
    pub async fn post(&self, gateway: &str, route: &str, mut body: Value) -> anyhow::Result<(StatusCode, Value)> {
        body["secret"] = json!(self.secret);
        read(self.http.post(format!("{gateway}{route}")).json(&body).timeout(PATIENCE).send().await?).await
    }

    /// Posts a message as the Angular client does and returns it as it was stored.
    ///
    /// # Errors
    /// When it was not stored.
    pub async fn post_message(&self, gateway: &str, text: &str) -> anyhow::Result<Value> {
        let nonce = &uuid::Uuid::new_v4().simple().to_string()[..16];
        match self.post(gateway, "/messages", json!({"message": text, "nonce": nonce})).await? {
            (StatusCode::CREATED, envelope) => Ok(envelope["data"].clone()),
            (status, envelope) => bail!("message not stored: {status} {envelope}"),
        }
    }
}

async fn read(response: Response) -> anyhow::Result<(StatusCode, Value)> {
    let status = response.status();
    Ok((status, response.json().await.context("the reply is not JSON")?))
}

/// A new unique nonce.
#[must_use]
pub fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
