//! The gateway of all people here: it serves connections, waits for replies, and replies to what matchers request of it.

use crate::world::soon;
use futures_util::StreamExt as _;
use proto::{
    CommandId, ConnectionStamp, GatewayId, UserId,
    bus::Bus,
    presence::{ConnectionsReply, ConnectionsRequest, ResyncRequest, ServedConnection},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{sync::mpsc, task::JoinHandle};

#[derive(Default)]
struct State {
    awaited: BTreeSet<CommandId>,
    served: BTreeMap<UserId, ConnectionStamp>,
    opened: u64,
}

pub(crate) struct Gateway {
    pub(crate) id: GatewayId,
    state: Arc<Mutex<State>>,
    resynced: tokio::sync::Mutex<mpsc::UnboundedReceiver<UserId>>,
    replying: JoinHandle<()>,
}

impl Gateway {
    pub(crate) async fn start(bus: &Bus, id: &str) -> Self {
        let (id, state): (GatewayId, Arc<Mutex<State>>) = (id.parse().expect("an id"), Arc::default());
        let mut requests = bus.client.subscribe(format!("talk.gateway.*.{id}")).await.expect("subscribed");
        let (sender, resynced) = mpsc::unbounded_channel();
        let (replier, known) = (bus.client.clone(), state.clone());
        let replying = tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                let reply = reply(&known, &sender, &request.subject, &request.payload);
                let to = request.reply.expect("a request");
                replier.publish(to, reply.into()).await.expect("replied");
            }
        });
        Self { id, state, resynced: tokio::sync::Mutex::new(resynced), replying }
    }

    /// A new connection, which is served from now on.
    pub(crate) fn open(&self, user: UserId) -> ConnectionStamp {
        let stamp = self.next_stamp();
        self.state().served.insert(user, stamp.clone());
        stamp
    }

    /// A connection that this gateway does not serve.
    pub(crate) fn next_stamp(&self) -> ConnectionStamp {
        let mut state = self.state();
        state.opened += 1;
        ConnectionStamp { opened_at_ms: proto::bus::now_ms(), gateway: self.id.clone(), counter: state.opened }
    }

    /// Does not serve the user any more, and publishes nothing of it.
    pub(crate) fn forget(&self, user: UserId) {
        self.state().served.remove(&user);
    }

    /// Waits for the reply to a command from now on.
    pub(crate) fn awaits(&self, command: CommandId) {
        self.state().awaited.insert(command);
    }

    /// The next user whose state this gateway has to fetch.
    pub(crate) async fn resynced(&self) -> UserId {
        soon(async { self.resynced.lock().await.recv().await }).await.expect("a resync")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.replying.abort();
    }
}

fn reply(state: &Mutex<State>, resynced: &mpsc::UnboundedSender<UserId>, subject: &str, payload: &[u8]) -> Vec<u8> {
    let state = state.lock().expect("no panic");
    let json = match subject.split('.').nth(2).expect("a kind") {
        "pending" => {
            let command: CommandId = serde_json::from_slice(payload).expect("a command");
            serde_json::to_vec(&state.awaited.contains(&command))
        }
        "connections" => {
            let request: ConnectionsRequest = serde_json::from_slice(payload).expect("a request");
            let served = state.served.iter().map(|(user, stamp)| ServedConnection {
                user: *user,
                opened_at_ms: stamp.opened_at_ms,
                counter: stamp.counter,
            });
            serde_json::to_vec(&ConnectionsReply::page(served.collect(), &request))
        }
        _ => {
            let request: ResyncRequest = serde_json::from_slice(payload).expect("a request");
            request.users.iter().for_each(|user| resynced.send(*user).expect("the test waits"));
            serde_json::to_vec(&(request.users.len() as u64))
        }
    };
    json.expect("JSON")
}
