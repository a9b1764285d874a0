//! Replies with the history of a room to its members: a NATS micro service, one reply from any replica.

use crate::store::Store;
use anyhow::Context as _;
use async_nats::service::endpoint::Endpoint;
use proto::{
    ProcessId, Refusal, Reply, RoomId,
    bus::Bus,
    notification::{History, HistoryRequest},
    service_api::{self, ApiRequest, Description, ServiceApi},
    subjects,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Requests in progress at once.
const CONCURRENCY: usize = 32;

/// The service, registered.
pub(crate) struct HistoryService {
    api: ServiceApi,
    endpoint: Endpoint,
}

impl HistoryService {
    pub(crate) async fn start(bus: &Bus, id: &ProcessId) -> anyhow::Result<Self> {
        let description = Description {
            name: "chat-store",
            version: env!("CARGO_PKG_VERSION"),
            text: "Stores, publishes and erases messages",
        };
        let api = ServiceApi::start(bus, id, description, || Value::Null).await?;
        let endpoint = api.endpoint("history", subjects::READ_HISTORY).await?;
        Ok(Self { api, endpoint })
    }

    /// Replies until the shutdown.
    pub(crate) async fn run(self, store: Store, shutdown: CancellationToken) -> anyhow::Result<()> {
        service_api::serve(self.endpoint, CONCURRENCY, &shutdown, |request| reply(&store, request)).await;
        self.api.stop().await;
        Ok(())
    }
}

async fn reply(store: &Store, ApiRequest { subject, payload }: ApiRequest) -> anyhow::Result<Reply<History>> {
    let room: RoomId = subjects::last_id(&subject).context("no room in the subject")?;
    let request: HistoryRequest = serde_json::from_slice(&payload).context("not a request for history")?;
    let rooms = store.rooms().find(&[room]).await?;
    if !rooms.iter().any(|room| room.members().any(|member| member == request.user)) {
        return Ok(Reply::Refused(Refusal::NotInRoom));
    }
    Ok(Reply::Ok(store.messages().page(room, request.after_seq).await?))
}
