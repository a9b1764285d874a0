//! Answers what was said in a room, to its members: a NATS service, one answer from any replica.

use crate::store::Store;
use anyhow::Context as _;
use async_nats::service::{Request, Service, ServiceExt as _, endpoint::Endpoint, error};
use bytes::Bytes;
use futures_util::StreamExt as _;
use proto::{
    Refusal, Reply, RoomId,
    bus::Bus,
    events::{HISTORY_PAGE, History, HistoryRequest},
    subjects,
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

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
    pub(crate) async fn listen(bus: &Bus) -> anyhow::Result<Self> {
        let builder = bus.client.service_builder().description("Stores, announces and erases messages");
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
        questions.for_each_concurrent(AT_ONCE, |question| answer(&store, question)).await;
        if let Err(error) = self.service.stop().await {
            tracing::debug!(%error, "the service was gone already");
        }
    }
}

async fn answer(store: &Store, question: Request) {
    let read = tokio::time::timeout(DEADLINE, read(store, &question));
    let answer = match read.await.context("MongoDB is too slow").flatten() {
        Ok(reply) => Ok(reply),
        Err(failure) => {
            tracing::warn!(bus.subject = %question.message.subject, "no history: {failure:#}");
            Err(error::Error { status: "the history cannot be read".to_owned(), code: 503 })
        }
    };
    if let Err(error) = question.respond(answer).await {
        tracing::warn!(%error, bus.subject = %question.message.subject, "a history was not sent");
    }
}

async fn read(store: &Store, question: &Request) -> anyhow::Result<Bytes> {
    let room: RoomId = subjects::last_id(&question.message.subject).context("no room in the subject")?;
    let asked: HistoryRequest = serde_json::from_slice(&question.message.payload).context("not a question")?;
    let reply = history(store, room, asked).await?;
    Ok(serde_json::to_vec(&reply).context("encoding")?.into())
}

async fn history(store: &Store, room: RoomId, asked: HistoryRequest) -> Result<Reply<History>, mongodb::error::Error> {
    let rooms = store.rooms(&[room]).await?;
    if !rooms.iter().any(|room| room.members.iter().any(|member| member.user == asked.user)) {
        return Ok(Reply::Refused(Refusal::NotInRoom));
    }
    let messages = store.page(room, asked.after_seq, HISTORY_PAGE).await?;
    Ok(Reply::Ok(History { messages }))
}
