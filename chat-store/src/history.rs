//! Answers what was said in a room, to its members: a NATS service, one answer from any replica.

use crate::store::Store;
use anyhow::Context as _;
use async_nats::service::{Request, Service, endpoint::Endpoint};
use futures_util::StreamExt as _;
use proto::{
    ProcessId, Refusal, Reply, RoomId,
    bus::Bus,
    events::{HISTORY_PAGE, History, HistoryRequest},
    micro, subjects,
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// Questions that are worked on at once.
const AT_ONCE: usize = 32;
/// Whoever asks has given up by then.
const DEADLINE: Duration = Duration::from_secs(5);

/// The service, listening.
pub(crate) struct Reader {
    service: Service,
    endpoint: Endpoint,
}

impl Reader {
    pub(crate) async fn listen(bus: &Bus, id: &ProcessId) -> anyhow::Result<Self> {
        let builder = micro::service(bus, id, "Stores, announces and erases messages");
        let service = builder
            .start("chat-store", env!("CARGO_PKG_VERSION"))
            .await
            .map_err(anyhow::Error::from_boxed)
            .context("starting the service")?;
        let endpoint = service.endpoint_builder().name("history").add(subjects::READ_HISTORY);
        let endpoint = endpoint.await.map_err(anyhow::Error::from_boxed).context("adding the endpoint")?;
        Ok(Self { service, endpoint })
    }

    /// Answers until the shutdown.
    pub(crate) async fn run(self, store: Store, shutdown: CancellationToken) {
        let questions = self.endpoint.take_until(shutdown.cancelled_owned());
        let answering = |question: Request| {
            let span = micro::span(&question);
            answer(&store, question).instrument(span)
        };
        questions.for_each_concurrent(AT_ONCE, answering).await;
        if let Err(error) = self.service.stop().await {
            tracing::debug!(%error, "the service was gone already");
        }
    }
}

async fn answer(store: &Store, question: Request) {
    let read = tokio::time::timeout(DEADLINE, read(store, &question));
    micro::answer(&question, read.await.context("MongoDB is too slow").flatten()).await;
}

async fn read(store: &Store, question: &Request) -> anyhow::Result<Reply<History>> {
    let room: RoomId = subjects::last_id(&question.message.subject).context("no room in the subject")?;
    let asked: HistoryRequest = serde_json::from_slice(&question.message.payload).context("not a question")?;
    Ok(history(store, room, asked).await?)
}

async fn history(store: &Store, room: RoomId, asked: HistoryRequest) -> Result<Reply<History>, mongodb::error::Error> {
    let rooms = store.rooms(&[room]).await?;
    if !rooms.iter().any(|room| room.members.iter().any(|member| member.user == asked.user)) {
        return Ok(Reply::Refused(Refusal::NotInRoom));
    }
    let messages = store.page(room, asked.after_seq, HISTORY_PAGE).await?;
    Ok(Reply::Ok(History { messages }))
}
