//! One Socket.IO connection over WebSocket.

use crate::{PATIENCE, nonce};
use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::{Mutex as AsyncMutex, mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Pending = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;
type Sink = Arc<AsyncMutex<SplitSink<Stream, Message>>>;

/// An event and its first argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// What it carries; null for nothing.
    pub data: Value,
}

/// One connection. Dropping it closes the TCP connection without a goodbye, as a lost network would.
#[derive(Debug)]
pub struct Socket {
    sink: Sink,
    events: AsyncMutex<mpsc::UnboundedReceiver<Event>>,
    pending: Pending,
    next_id: AtomicU64,
    reader: JoinHandle<()>,
}

impl Socket {
    /// Connects, with the `auth` payload of a current client or without.
    ///
    /// # Errors
    /// When the gateway is unreachable, or refuses; then with its error.
    pub async fn connect(gateway: &str, auth: Option<Value>) -> anyhow::Result<Self> {
        timeout(PATIENCE, Self::handshake(gateway, auth)).await.context("the handshake took too long")?
    }

    async fn handshake(gateway: &str, auth: Option<Value>) -> anyhow::Result<Self> {
        let address = gateway.replacen("http", "ws", 1);
        let (stream, _) = connect_async(format!("{address}/socket.io/?EIO=4&transport=websocket")).await?;
        let (sink, mut stream) = stream.split();
        let sink = Arc::new(AsyncMutex::new(sink));
        let connect = format!("40{}", auth.map_or_else(String::new, |auth| auth.to_string()));
        loop {
            let frame = stream.next().await.context("the connection was closed")??;
            let Message::Text(text) = frame else { continue };
            match text.as_str() {
                open if open.starts_with('0') => send(&sink, connect.clone()).await?,
                "2" => send(&sink, "3".to_owned()).await?,
                refused if refused.starts_with("44") => bail!("refused: {}", &refused[2..]),
                connected if connected.starts_with("40") => break,
                other => bail!("unexpected in the handshake: {other}"),
            }
        }
        let (sender, events) = mpsc::unbounded_channel();
        let pending = Pending::default();
        let reader = tokio::spawn(read(stream, sink.clone(), sender, pending.clone()));
        Ok(Self { sink, events: AsyncMutex::new(events), pending, next_id: AtomicU64::new(1), reader })
    }

    /// Emits an event without waiting for anything.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn emit(&self, event: &str, data: &Value) -> anyhow::Result<()> {
        send(&self.sink, format!("42{}", json!([event, data]))).await
    }

    /// Emits an event and waits for its acknowledgement: the envelope.
    ///
    /// # Errors
    /// When none comes.
    pub async fn request(&self, event: &str, data: Value) -> anyhow::Result<Value> {
        let acknowledgement = self.start_request(event, &data).await?;
        timeout(PATIENCE, acknowledgement)
            .await
            .context("no acknowledgement in time")?
            .context("the connection is closed")
    }

    /// Emits an event; the receiver resolves with its acknowledgement. Requests are sent in the order of these calls.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn start_request(&self, event: &str, data: &Value) -> anyhow::Result<oneshot::Receiver<Value>> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.pending.lock().insert(id, sender);
        send(&self.sink, format!("42{id}{}", json!([event, data]))).await?;
        Ok(receiver)
    }

    /// The same, and returns the data of the envelope.
    ///
    /// # Errors
    /// When the envelope holds an error, or none comes.
    pub async fn request_data(&self, event: &str, data: Value) -> anyhow::Result<Value> {
        let mut envelope = self.request(event, data).await?;
        if envelope["success"] == true { Ok(envelope["data"].take()) } else { bail!("{event} refused: {envelope}") }
    }

    /// Sends a message and returns it as it was stored.
    ///
    /// # Errors
    /// When it was not stored.
    pub async fn send(&self, text: &str) -> anyhow::Result<Value> {
        self.request_data("send_message", json!({"content": text, "nonce": nonce()})).await
    }

    /// The next event.
    ///
    /// # Errors
    /// When none comes in time, or the connection is closed.
    pub async fn next(&self) -> anyhow::Result<Event> {
        self.next_within(PATIENCE).await?.context("no event in time")
    }

    /// The next event, if one comes in this time.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn next_within(&self, time: Duration) -> anyhow::Result<Option<Event>> {
        match timeout(time, async { self.events.lock().await.recv().await }).await {
            Ok(Some(event)) => Ok(Some(event)),
            Ok(None) => bail!("the connection is closed"),
            Err(_nothing) => Ok(None),
        }
    }

    /// Waits for an event of this name and returns its data; others are skipped.
    ///
    /// # Errors
    /// When it does not come in time.
    pub async fn wait_for(&self, name: &str) -> anyhow::Result<Value> {
        let waiting = async {
            loop {
                let event = self.next().await?;
                if event.name == name {
                    return anyhow::Ok(event.data);
                }
            }
        };
        timeout(PATIENCE, waiting).await.with_context(|| format!("no {name} in time"))?
    }

    /// Stops reading, as a suspended tab does; the connection stays open.
    pub fn stall(&self) {
        self.reader.abort();
    }

    /// Leaves the namespace, as a client does that disconnects on purpose, and closes the connection.
    ///
    /// # Errors
    /// When the connection is closed already.
    pub async fn disconnect(self) -> anyhow::Result<()> {
        self.send_disconnect().await
    }

    /// Leaves the namespace; the connection stays open.
    ///
    /// # Errors
    /// When the connection is closed already.
    pub async fn send_disconnect(&self) -> anyhow::Result<()> {
        send(&self.sink, "41".to_owned()).await
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn send(sink: &Sink, text: String) -> anyhow::Result<()> {
    sink.lock().await.send(Message::text(text)).await.context("the connection is closed")
}

async fn read(
    mut stream: futures_util::stream::SplitStream<Stream>,
    sink: Sink,
    events: mpsc::UnboundedSender<Event>,
    pending: Pending,
) {
    while let Some(Ok(frame)) = stream.next().await {
        let Message::Text(text) = frame else { continue };
        if text.as_str() == "2" {
            if send(&sink, "3".to_owned()).await.is_err() {
                break;
            }
        } else if let Some(event) = text.strip_prefix("42").and_then(event) {
            // Fails when the socket was dropped.
            let _dropped = events.send(event);
        } else if let Some((id, envelope)) = text.strip_prefix("43").and_then(acknowledgement) {
            let waiting = pending.lock().remove(&id);
            if let Some(waiting) = waiting {
                let _given_up = waiting.send(envelope);
            }
        }
    }
    // Dropping the senders ends all requests: no acknowledgement will come.
    pending.lock().clear();
}

fn event(json: &str) -> Option<Event> {
    let mut array: Vec<Value> = serde_json::from_str(json).ok()?;
    let data = if array.len() > 1 { array[1].take() } else { Value::Null };
    Some(Event { name: array.first()?.as_str()?.to_owned(), data })
}

fn acknowledgement(text: &str) -> Option<(u64, Value)> {
    let json = text.find('[')?;
    let mut array: Vec<Value> = serde_json::from_str(&text[json..]).ok()?;
    Some((text[..json].parse().ok()?, array.first_mut()?.take()))
}
