//! The connections of one current client: the one that it uses, and older tabs that it keeps open. Records when each
//! was opened and closed.

use std::sync::Arc;

use person::{Person, Socket};
use serde_json::Value;
use tokio::{task::JoinHandle, time::timeout};

use crate::history::Event;
use crate::traffic::world::{PATIENCE, World};

/// A connection, its number, and its gateway.
struct Connection {
    socket: Arc<Socket>,
    number: u32,
    gateway: usize,
}

/// A connection that is open, and the data of its `resumed`.
pub(crate) struct Opened {
    socket: Socket,
    gateway: usize,
    last_seq: Option<u64>,
    resumed: Value,
}

/// A tab that is open beside a newer one.
struct OlderTab {
    number: u32,
    watching: JoinHandle<()>,
}

/// The connections of one user.
pub(crate) struct Link {
    world: Arc<World>,
    person: Person,
    current: Option<Connection>,
    older: Vec<OlderTab>,
}

impl Link {
    pub(crate) fn new(world: Arc<World>, person: Person) -> Self {
        Self { world, person, current: None, older: Vec::new() }
    }

    pub(crate) fn user(&self) -> &str {
        &self.person.user
    }

    /// The socket, if the client has a connection.
    pub(crate) fn socket(&self) -> Option<Arc<Socket>> {
        self.current.as_ref().map(|connection| connection.socket.clone())
    }

    /// The number of the connection; 0 without one.
    pub(crate) fn number(&self) -> u32 {
        self.current.as_ref().map_or(0, |connection| connection.number)
    }

    /// The gateway of the connection, counted from 0; the first without one.
    pub(crate) fn gateway(&self) -> usize {
        self.current.as_ref().map_or(0, |connection| connection.gateway)
    }

    pub(crate) fn note(&self, what: Event) {
        self.world.note(&self.person.user, what);
    }

    /// Opens a connection; none when `resumed` does not come.
    pub(crate) fn open(&self, gateway: usize, last_seq: Option<u64>) -> impl Future<Output = Option<Opened>> + use<> {
        let (world, person) = (self.world.clone(), self.person.clone());
        async move {
            world.note(&person.user, Event::Connecting);
            let opening = async {
                let socket = handshake(&person, world.url(gateway), last_seq).await?;
                let resumed = socket.wait_for("resumed").await?;
                anyhow::Ok(Opened { socket, gateway, last_seq, resumed })
            };
            let opened = timeout(PATIENCE, opening).await.ok().and_then(Result::ok);
            if opened.is_none() {
                world.note(&person.user, Event::ConnectFailed);
            }
            opened
        }
    }

    /// Uses a connection from now on, and keeps the one before open behind it; the data of `resumed`.
    pub(crate) fn use_opened(&mut self, opened: Opened) -> Value {
        let Opened { socket, gateway, last_seq, resumed } = opened;
        let state = resumed["state"].as_str().unwrap_or_default().to_owned();
        let room = resumed["room_id"].as_str().map(ToOwned::to_owned);
        let number = self.world.next_connection();
        self.note(Event::Connected { connection: number, gateway, state, room, last_seq, legacy: false });
        if let Some(older) = self.current.replace(Connection { socket: Arc::new(socket), number, gateway }) {
            self.keep_behind(older);
        }
        resumed
    }

    /// Opens a tab on a gateway that may not be able to claim it for now, and keeps it open. False when the gateway does
    /// not accept it.
    pub(crate) async fn open_older_tab(&mut self, gateway: usize) -> bool {
        self.note(Event::Connecting);
        let Ok(Ok(socket)) = timeout(PATIENCE, handshake(&self.person, self.world.url(gateway), None)).await else {
            self.note(Event::ConnectFailed);
            return false;
        };
        let (number, state) = (self.world.next_connection(), String::new());
        self.note(Event::Connected { connection: number, gateway, state, room: None, last_seq: None, legacy: false });
        self.keep_behind(Connection { socket: Arc::new(socket), number, gateway });
        true
    }

    fn keep_behind(&mut self, tab: Connection) {
        let number = tab.number;
        let watching = tokio::spawn(watch_older_tab(self.world.clone(), self.person.user.clone(), tab));
        self.older.push(OlderTab { number, watching });
    }

    /// Sends a request; without an acknowledgement in time the connection is given up.
    pub(crate) async fn request(&mut self, event: &str, data: Value) -> Option<Value> {
        let socket = self.socket()?;
        let envelope = timeout(PATIENCE, socket.request(event, data)).await;
        drop(socket);
        match envelope {
            Ok(Ok(envelope)) => Some(envelope),
            _closed => {
                self.close(false);
                None
            }
        }
    }

    /// Closes the connection without a goodbye, as a lost network does; or notes that the gateway closed it.
    pub(crate) fn close(&mut self, by_client: bool) {
        if let Some(connection) = self.current.take() {
            self.note(Event::Disconnected { connection: connection.number, by_client });
        }
    }

    /// From now on the packets of the connection are dropped; it stays open for the gateway.
    pub(crate) fn silence(&mut self) {
        if let Some(connection) = self.current.take() {
            self.note(Event::Silenced { connection: connection.number });
            self.world.keep_half_open(connection.socket);
        }
    }

    /// Closes all tabs.
    pub(crate) fn close_all(&mut self) {
        self.close(true);
        for tab in std::mem::take(&mut self.older) {
            if !tab.watching.is_finished() {
                tab.watching.abort();
                self.note(Event::Disconnected { connection: tab.number, by_client: true });
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.older.iter().for_each(|tab| tab.watching.abort());
    }
}

async fn handshake(person: &Person, url: &str, last_seq: Option<u64>) -> anyhow::Result<Socket> {
    match last_seq {
        Some(seq) => person.resume(url, seq).await,
        None => person.connect(url).await,
    }
}

/// Records what becomes of an older tab: it has to be replaced or closed.
async fn watch_older_tab(world: Arc<World>, user: String, tab: Connection) {
    let connection = tab.number;
    loop {
        match tab.socket.next_within(std::time::Duration::from_secs(3600)).await {
            Ok(Some(event)) if event.name == "replaced" => {
                world.note(&user, Event::Replaced { connection });
                // The namespace is closed, and a client's library closes the rest.
                return world.note(&user, Event::Disconnected { connection, by_client: false });
            }
            Ok(_other) => {}
            Err(_closed) => return world.note(&user, Event::Disconnected { connection, by_client: false }),
        }
    }
}
