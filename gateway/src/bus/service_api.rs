//! The NATS micro service `gateway`: its report for operators, and the three requests of the matcher by which both
//! compare what they know of presence.

use crate::app::Shared;
use anyhow::Context as _;
use async_nats::service::endpoint::Endpoint;
use proto::{
    CommandId,
    presence::{ConnectionsReply, ConnectionsRequest, ResyncRequest},
    service_api::{Description, ServiceApi, serve},
    subjects,
};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// How many requests of one kind are handled concurrently.
const CONCURRENCY: usize = 16;

/// The service, with its endpoints.
pub(crate) struct GatewayApi {
    service: ServiceApi,
    report: Endpoint,
    connections: Endpoint,
    pending: Endpoint,
    resync: Endpoint,
}

impl GatewayApi {
    /// Registers it; requests wait until [`Self::run`].
    ///
    /// # Errors
    /// When NATS is unavailable.
    pub(crate) async fn start(app: &Shared, bus: &proto::bus::Bus) -> anyhow::Result<Self> {
        let description = Description {
            name: "gateway",
            version: env!("CARGO_PKG_VERSION"),
            text: "Serves clients by REST and Socket.IO",
        };
        let stats = app.clone();
        let service = ServiceApi::start(bus, &app.id, description, move || json!(stats.report())).await?;
        Ok(Self {
            report: service.endpoint("report", &subjects::read_gateway(&app.id)).await?,
            connections: service.endpoint("connections", &subjects::gateway_connections(&app.id)).await?,
            pending: service.endpoint("pending", &subjects::gateway_pending(&app.id)).await?,
            resync: service.endpoint("resync", &subjects::gateway_resync(&app.id)).await?,
            service,
        })
    }

    /// Replies until `stopped`.
    pub(crate) async fn run(self, app: Shared, stopped: CancellationToken) -> anyhow::Result<()> {
        let Self { service, report, connections, pending, resync } = self;
        tokio::join!(
            serve(report, CONCURRENCY, &stopped, |_request| async { Ok(app.report()) }),
            serve(connections, CONCURRENCY, &stopped, |request| {
                let page = decode(&request.payload).map(|request| connections_page(&app, &request));
                std::future::ready(page)
            }),
            serve(pending, CONCURRENCY, &stopped, |request| {
                let pending = decode::<CommandId>(&request.payload).map(|id| app.backend.commands().is_pending(id));
                std::future::ready(pending)
            }),
            serve(resync, CONCURRENCY, &stopped, |request| {
                let requested = decode(&request.payload).map(|ResyncRequest { users }| app.served.resync(&users));
                std::future::ready(requested)
            }),
        );
        service.stop().await;
        Ok(())
    }
}

fn connections_page(app: &Shared, request: &ConnectionsRequest) -> ConnectionsReply {
    ConnectionsReply::page(app.served.list(), request)
}

fn decode<T: DeserializeOwned>(payload: &[u8]) -> anyhow::Result<T> {
    serde_json::from_slice(payload).context("not the request of this endpoint")
}
