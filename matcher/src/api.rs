//! Replies to requests: a user's state for gateways, the queues for operators. A NATS micro service named `matcher`, whose
//! requests all replicas share.

use crate::context::Context;
use anyhow::Context as _;
use async_nats::service::endpoint::Endpoint;
use proto::{
    Queue, Reply, UserView,
    admin::{QueueDepth, QueueReport},
    lease,
    service_api::{ApiRequest, Description, ServiceApi, serve},
    subjects,
};
use serde_json::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How many requests are worked on at once.
const CONCURRENCY: usize = 64;

const DESCRIPTION: Description = Description {
    name: "matcher",
    version: env!("CARGO_PKG_VERSION"),
    text: "Pairs people who wait; owns users and rooms",
};

/// The endpoints of this replica.
pub(crate) struct Api {
    service: ServiceApi,
    user: Endpoint,
    waiting: Endpoint,
}

impl Api {
    /// Registers the service: from then on requests arrive.
    pub(crate) async fn start(context: &Context) -> anyhow::Result<Self> {
        let leading = context.wakeup.leading();
        let stats = move || json!({ "leader": leading() });
        let service = ServiceApi::start(&context.bus, &context.id, DESCRIPTION, stats).await?;
        let user = service.endpoint("user", subjects::READ_USER).await?;
        let waiting = service.endpoint("waiting", subjects::READ_WAITING).await?;
        Ok(Self { service, user, waiting })
    }

    /// Replies until `shutdown`.
    pub(crate) async fn serve(self, context: Arc<Context>, shutdown: CancellationToken) -> anyhow::Result<()> {
        tokio::join!(
            serve(self.user, CONCURRENCY, &shutdown, |request| user(&context, request)),
            serve(self.waiting, 1, &shutdown, |_| queues(&context)),
        );
        self.service.stop().await;
        Ok(())
    }
}

async fn user(context: &Context, request: ApiRequest) -> anyhow::Result<Reply<UserView>> {
    let user = subjects::last_id(&request.subject).context("no user in the subject")?;
    let user = context.store.users.get(user).await?;
    Ok(Reply::Ok(context.view(&user).await?))
}

async fn queues(context: &Context) -> anyhow::Result<QueueReport> {
    Ok(QueueReport {
        vent: depth(context, Queue::Vent).await?,
        listen: depth(context, Queue::Listen).await?,
        talk: depth(context, Queue::Talk).await?,
        leader: lease::holder(&context.bus, lease::LEADER).await?,
    })
}

async fn depth(context: &Context, queue: Queue) -> anyhow::Result<QueueDepth> {
    let (waiting, first) = context.store.users.waiting_in(queue).await?;
    let oldest_ms = first.map_or(0, |since| u64::try_from(context.now_ms() - since).unwrap_or(0));
    Ok(QueueDepth { waiting, oldest_ms })
}
