//! What all simulated clients share: the gateways, the history, and the signals that reach all of them at once.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use person::Socket;
use tokio::{sync::watch, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::history::{Event, History};

/// How long a gateway may take to reply to anything but a message; a page would try another one then.
pub(crate) const PATIENCE: Duration = Duration::from_secs(7);
/// How soon a message that could not be stored is sent again.
pub(crate) const RETRY: Duration = Duration::from_millis(500);
/// For how long a connection whose packets are dropped stays open: longer than the gateway's time-out of a ping and
/// the 30 s after which a user without a connection is removed.
const HALF_OPEN: Duration = Duration::from_secs(60);

/// What all simulated clients share.
pub(crate) struct World {
    gateways: Vec<String>,
    history: History,
    connections: AtomicU32,
    closing: CancellationToken,
    burst: watch::Sender<()>,
    half_open: Mutex<JoinSet<()>>,
}

impl World {
    pub(crate) fn new(gateways: &[String], history: &History) -> Self {
        Self {
            gateways: gateways.to_vec(),
            history: history.clone(),
            connections: AtomicU32::new(0),
            closing: CancellationToken::new(),
            burst: watch::Sender::new(()),
            half_open: Mutex::default(),
        }
    }

    pub(crate) fn note(&self, user: &str, what: Event) {
        self.history.note(user, what);
    }

    /// How many gateways there are.
    pub(crate) fn gateways(&self) -> usize {
        self.gateways.len()
    }

    /// The address of a gateway.
    pub(crate) fn url(&self, gateway: usize) -> &str {
        &self.gateways[gateway]
    }

    /// The number of a new connection.
    pub(crate) fn next_connection(&self) -> u32 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Ends the run for all clients.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// The run is over: all clients go.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Returns when the run is over.
    pub(crate) async fn closed(&self) {
        self.closing.cancelled().await;
    }

    /// Has everybody in a room send some messages at once.
    pub(crate) fn start_burst(&self) {
        self.burst.send_replace(());
    }

    /// Changes with each burst.
    pub(crate) fn bursts(&self) -> watch::Receiver<()> {
        self.burst.subscribe()
    }

    /// Keeps a connection open on which nothing is read or written, as after a network that drops packets.
    pub(crate) fn keep_half_open(&self, socket: Arc<Socket>) {
        socket.stall();
        self.half_open.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
            sleep(HALF_OPEN).await;
            drop(socket);
        });
    }
}

/// The moment at which a crowd queues, all at once.
#[derive(Clone)]
pub(crate) struct Start {
    ready: watch::Sender<u32>,
    go: CancellationToken,
}

impl Start {
    pub(crate) fn new() -> Self {
        Self { ready: watch::Sender::new(0), go: CancellationToken::new() }
    }

    /// Is ready to queue; returns when all are.
    pub(crate) async fn line_up(&self) {
        self.ready.send_modify(|count| *count += 1);
        self.go.cancelled().await;
    }

    /// Lets all queue as soon as so many are ready, or after this time.
    pub(crate) async fn go(&self, count: u32, patience: Duration) {
        let mut ready = self.ready.subscribe();
        let _not_all = tokio::time::timeout(patience, ready.wait_for(|ready| *ready >= count)).await;
        self.go.cancel();
    }
}
