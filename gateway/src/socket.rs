//! Sockets: who may connect, and how what a client does reaches its session in order.
//!
//! socketioxide spawns a task for each event, so that two events of one socket may swap places;
//! only the closure itself runs in order. It therefore just puts the event into the session's
//! channel. Handlers are registered before the connection is confirmed: later, a first event or
//! a disconnect could be missed.

use crate::{
    error::ApiError,
    inbox::{DEPTH, Inbox},
    leaving::Here,
    session::{Session, acknowledge},
    state::Shared,
};
use proto::UserId;
use serde::Deserialize;
use serde_json::Value;
use socketioxide::{
    SocketIo,
    extract::{AckSender, Event, SocketRef, TryData},
    handler::ConnectHandler as _,
    socket::DisconnectReason,
};
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// An event from the client.
pub(crate) struct Incoming {
    pub(crate) event: String,
    pub(crate) data: Option<Value>,
    pub(crate) ack: AckSender,
    pub(crate) arrived: Instant,
}

impl Incoming {
    /// The bare secret that old clients send with each event.
    pub(crate) fn secret(&self) -> Option<&str> {
        self.data.as_ref()?.as_str()
    }
}

/// What a current client says of itself in the handshake. Old clients say nothing.
#[derive(Clone, Deserialize)]
struct Auth {
    secret: String,
    #[serde(default)]
    last_seq: Option<u64>,
}

/// A client that authenticated in the handshake.
#[derive(Clone, Copy)]
pub(crate) struct Authenticated {
    pub(crate) user: UserId,
    /// The last sequence that it has seen in its room, if it thinks that it is in one.
    pub(crate) last_seq: Option<u64>,
}

/// Tells that a socket is gone, and why.
#[derive(Default)]
pub(crate) struct Closed {
    pub(crate) token: CancellationToken,
    reason: OnceLock<DisconnectReason>,
}

impl Closed {
    /// The client said goodbye, rather than losing its connection.
    pub(crate) fn by_goodbye(&self) -> bool {
        matches!(self.reason.get(), Some(DisconnectReason::ClientNSDisconnect))
    }

    /// The connection broke without a word from the client: what was sent last may be lost.
    pub(crate) fn in_silence(&self) -> bool {
        matches!(self.reason.get(), Some(DisconnectReason::HeartbeatTimeout | DisconnectReason::TransportError))
    }
}

/// What the middleware prepares and the connect handler takes.
#[derive(Clone)]
struct Prepared {
    closed: Arc<Closed>,
    inbox: Arc<Mutex<Option<mpsc::Receiver<Box<Incoming>>>>>,
    authenticated: Option<Authenticated>,
}

/// Serves the root namespace.
pub(crate) fn serve(io: &SocketIo, app: &Shared) {
    let (authenticating, connecting) = (app.clone(), app.clone());
    let connect = async move |socket: SocketRef| start(&connecting, socket);
    let prepare = move |socket: SocketRef, TryData(auth): TryData<Value>| {
        let prepared = authenticate(&authenticating, auth.ok()).map(|authenticated| prepare(&socket, authenticated));
        // A name, not a sentence: the client acts on it.
        async move { prepared.map_err(|error| error.code()) }
    };
    io.ns("/", connect.with(prepare));
}

fn authenticate(app: &Shared, auth: Option<Value>) -> Result<Option<Authenticated>, ApiError> {
    let Some(auth) = auth.filter(|auth| auth.get("secret").is_some()) else { return Ok(None) };
    let auth: Auth = serde_json::from_value(auth).map_err(|error| ApiError::bad(error.to_string()))?;
    let user = app.secrets.verify(&auth.secret)?;
    app.limits.act(user)?;
    Ok(Some(Authenticated { user, last_seq: auth.last_seq }))
}

fn prepare(socket: &SocketRef, authenticated: Option<Authenticated>) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    let closed = Arc::new(Closed::default());
    let prepared = Prepared { closed: closed.clone(), inbox: Arc::new(Mutex::new(Some(receiver))), authenticated };
    socket.extensions.insert(prepared);
    socket.on_fallback(move |Event(event): Event, TryData(data): TryData<Value>, ack: AckSender| {
        deliver(&sender, Incoming { event, data: data.ok(), ack, arrived: Instant::now() });
        std::future::ready(())
    });
    socket.on_disconnect(move |reason: DisconnectReason| {
        let _first = closed.reason.set(reason);
        closed.token.cancel();
        std::future::ready(())
    });
}

// A full channel means a flood: the event is refused, not queued without bound.
fn deliver(inbox: &mpsc::Sender<Box<Incoming>>, mut incoming: Incoming) {
    incoming.data = incoming.data.map(flat);
    let (incoming, refused) = match inbox.try_send(Box::new(incoming)) {
        Ok(()) => return,
        Err(TrySendError::Full(incoming)) => (incoming, ApiError::TooMany(Duration::from_secs(1))),
        Err(TrySendError::Closed(incoming)) => (incoming, ApiError::Unavailable),
    };
    acknowledge::<()>(incoming.ack, Err(refused));
}

/// Without what no event has: lists, and objects in objects. They may take thirty times the
/// memory of the text that they came in.
fn flat(data: Value) -> Value {
    match data {
        Value::Array(_) => Value::Null,
        Value::Object(mut fields) => {
            for value in fields.values_mut().filter(|value| value.is_array() || value.is_object()) {
                *value = Value::Null;
            }
            Value::Object(fields)
        }
        other => other,
    }
}

fn start(app: &Shared, socket: SocketRef) {
    let Some(prepared) = socket.extensions.get::<Prepared>() else { return };
    let Some(inbox) = prepared.inbox.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    // Gone between the handshake and now.
    if !socket.connected() || prepared.closed.token.is_cancelled() {
        return;
    }
    let leave = CancellationToken::new();
    // On the one thread there is, the session begins after it was noted.
    let session = Session::new(app.clone(), socket.clone(), prepared.closed, leave.clone());
    let inbox = Inbox::new(inbox, app.config.result_deadline);
    let session = tokio::spawn(session.run(inbox, prepared.authenticated));
    app.present.enter(Here { socket, session, leave });
}
