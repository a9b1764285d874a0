//! The handshake: who may connect, and how a client's events reach its session in order.
//!
//! socketioxide spawns a task for each event, so that two events of one socket may swap places; only the closure itself
//! runs in order. It therefore just puts the event into the session's queue. Handlers are registered before the
//! connection is confirmed: later, a first event or a disconnect could be missed.

use crate::{
    api::{client_event::ClientEventName, error::ApiError},
    app::Shared,
    session::{
        parts::client::{Authenticated, Closed},
        task,
    },
    socket::{
        acknowledgement::Acknowledgement,
        inbound::{self, InboundEvent, InboundQueue},
    },
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use socketioxide::{
    SocketIo,
    extract::{AckSender, Event, SocketRef, TryData},
    handler::ConnectHandler as _,
    socket::DisconnectReason,
};
use std::sync::Arc;
use tokio::time::Instant;

/// What a current client sends in the handshake. Legacy clients send nothing.
#[derive(Clone, Deserialize)]
struct Auth {
    secret: String,
    #[serde(default)]
    last_seq: Option<u64>,
}

/// What the middleware prepares and the connect handler takes.
#[derive(Clone)]
struct Prepared {
    closed: Arc<Closed>,
    inbound: Arc<Mutex<Option<InboundQueue>>>,
    authenticated: Option<Authenticated>,
}

/// Registers the handlers of the root namespace.
pub(crate) fn register(io: &SocketIo, app: &Shared) {
    let (authenticating, connecting) = (app.clone(), app.clone());
    let connect = async move |socket: SocketRef| start(&connecting, socket);
    let prepare = move |socket: SocketRef, TryData(auth): TryData<Value>| {
        let authenticated = authenticate(&authenticating, auth.ok());
        let prepared = authenticated.map(|authenticated| prepare(&authenticating, &socket, authenticated));
        // A name, not a sentence: the client acts on it.
        async move { prepared.map_err(|error| error.code()) }
    };
    io.ns("/", connect.with(prepare));
}

fn authenticate(app: &Shared, auth: Option<Value>) -> Result<Option<Authenticated>, ApiError> {
    let Some(auth) = auth.filter(|auth| auth.get("secret").is_some()) else { return Ok(None) };
    let auth: Auth = serde_json::from_value(auth).map_err(|error| ApiError::bad(error.to_string()))?;
    let user = app.secrets.verify(&auth.secret)?;
    app.rate_limits.check_user(user)?;
    Ok(Some(Authenticated { user, last_seq: auth.last_seq }))
}

fn prepare(app: &Shared, socket: &SocketRef, authenticated: Option<Authenticated>) {
    let (sender, queue) = inbound::queue(app.config.result_deadline);
    let closed = Arc::new(Closed::default());
    let prepared = Prepared { closed: closed.clone(), inbound: Arc::new(Mutex::new(Some(queue))), authenticated };
    socket.extensions.insert(prepared);
    socket.on_fallback(move |Event(name): Event, TryData(data): TryData<Value>, ack: AckSender| {
        sender.push(InboundEvent {
            name: ClientEventName::find(&name),
            data: data.ok(),
            acknowledgement: Acknowledgement::new(ack),
            arrived: Instant::now(),
        });
        std::future::ready(())
    });
    socket.on_disconnect(move |reason: DisconnectReason| {
        closed.close(reason);
        std::future::ready(())
    });
}

fn start(app: &Shared, socket: SocketRef) {
    let Some(prepared) = socket.extensions.get::<Prepared>() else { return };
    let Some(inbound) = prepared.inbound.lock().take() else { return };
    // Closed between the handshake and now.
    if !socket.connected() || prepared.closed.is_closed() {
        return;
    }
    task::start(app, socket, prepared.closed, inbound, prepared.authenticated);
}
