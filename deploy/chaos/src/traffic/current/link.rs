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

    /// Opens a connection, beside the one that there is; the data of `resumed`, or none when that does not come.
    pub(crate) async fn connect(&mut self, gateway: usize, last_seq: Option<u64>) -> Option<Value> {
        self.note(Event::Connecting);
        let opening = async {
            let socket = self.open(gateway, last_seq).await?;
            let resumed = socket.wait_for("resumed").await?;
            anyhow::Ok((socket, resumed))
        };
        let Ok(Ok((socket, resumed))) = timeout(PATIENCE, opening).await else {
            self.note(Event::ConnectFailed);
            return None;
        };
        let state = resumed["state"].as_str().unwrap_or_default().to_owned();
        let room = resumed["room_id"].as_str().map(ToOwned::to_owned);
        let number = self.world.next_connection();
        self.note(Event::Connected { connection: number, gateway, state, room, last_seq, legacy: false });
        self.use_connection(Connection { socket: Arc::new(socket), number, gateway });
        Some(resumed)
    }

    /// Opens a tab on a gateway that may not be able to claim it for now, and keeps it open. False when the gateway does
    /// not accept it.
    pub(crate) async fn open_older_tab(&mut self, gateway: usize) -> bool {
        self.note(Event::Connecting);
        let Ok(Ok(socket)) = timeout(PATIENCE, self.open(gateway, None)).await else {
            self.note(Event::ConnectFailed);
            return false;
        };
        let (number, state) = (self.world.next_connection(), String::new());
        self.note(Event::Connected { connection: number, gateway, state, room: None, last_seq: None, legacy: false });
        self.keep_behind(Connection { socket: Arc::new(socket), number, gateway });
        true
    }

    async fn open(&self, gateway: usize, last_seq: Option<u64>) -> anyhow::Result<Socket> {
        let url = self.world.url(gateway);
        match last_seq {
            Some(seq) => self.person.resume(url, seq).await,
            None => self.person.connect(url).await,
        }
    }

    fn use_connection(&mut self, connection: Connection) {
        if let Some(older) = self.current.replace(connection) {
            self.keep_behind(older);
        }
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
