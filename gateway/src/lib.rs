#![doc = include_str!("../README.md")]

mod api;
mod app;
mod bus;
mod config;
mod http;
mod presence;
mod secrets;
mod session;
mod socket;
mod telemetry;

pub use config::Config;

use anyhow::Context as _;
use api::error::ApiError;
use app::{App, Shared};
use bus::{
    author_locks::AuthorLocks,
    backend::Backend,
    command_client::{CommandClient, ReplyDispatcher},
    queue_status::QueueStatusFeed,
    service_api::GatewayApi,
    until_stored::UntilStored,
};
use http::{
    acceptor::Acceptor, connection::Peer, rate_limit::RateLimits, router, transport_closer::TransportCloser,
    transports::Transports,
};
use presence::{
    claim::Stamps,
    lease::{GatewayLease, resync_after_reconnects},
    registry::ServedRegistry,
};
use proto::{
    GatewayId,
    bus::{
        Bus,
        connect::{Streams, connect},
    },
    health::Health,
    process::Supervisor,
    streams,
};
use secrets::Secrets;
use session::registry::{DRAIN_STEP, SessionRegistry};
use socketioxide::SocketIo;
use std::sync::Arc;
use strum::VariantNames as _;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The streams that it publishes to.
const STREAMS: Streams = Streams::Await(&[streams::USERS, streams::MESSAGES, streams::LEASES_STREAM]);

/// Serves clients until `shutdown`, then lets all of them go to other gateways.
///
/// # Errors
/// When the configuration is wrong, an address is taken, NATS cannot be reached in time, or a task ends that must not.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    telemetry::metrics::describe(ApiError::VARIANTS);
    config.check_drain(3 * DRAIN_STEP)?;
    let secrets = Secrets::new(&config)?;
    let id = config.gateway_id.of_this_life().map_err(anyhow::Error::msg).context("GATEWAY_ID is too long")?;
    let name = id.to_string();
    let nats = connect(&config.common.nats, config.common.connect_timeout, &name, STREAMS);
    let Some(bus) = shutdown.run_until_cancelled(nats).await.transpose()? else { return Ok(()) };
    let listener = TcpListener::bind(config.addr).await.with_context(|| format!("binding {}", config.addr))?;
    let gateway = Gateway::start(config, id, bus, secrets, shutdown.clone()).await?;
    gateway.serve(listener, shutdown).await
}

/// The parts of a gateway that run.
struct Gateway {
    app: Shared,
    bus: Bus,
    replies: ReplyDispatcher,
    queue_status: QueueStatusFeed,
    lease: GatewayLease,
    health: Health,
}

impl Gateway {
    async fn start(
        config: Config,
        id: GatewayId,
        bus: Bus,
        secrets: Secrets,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let tasks = TaskTracker::new();
        let (commands, replies) = CommandClient::start(&bus, &id, config.result_deadline, tasks.clone()).await?;
        let (queue_status, latest_status) = QueueStatusFeed::start(&bus).await?;
        let lease = GatewayLease::open(&bus, &id, config.lease).await?;
        let health = Health::bind(config.common.health_addr, vec![bus.dependency()], shutdown).await?;
        let transports = Arc::<Transports>::default();
        let app = Arc::new(App {
            backend: Backend::new(bus.clone(), commands, UntilStored::new(&bus, tasks.clone())),
            rate_limits: RateLimits::new(config.actions_per_second, config.requests_per_second_per_address),
            stamps: Stamps::new(id.clone()),
            closer: Arc::new(TransportCloser::new(transports.clone())),
            id,
            config,
            secrets,
            author_locks: AuthorLocks::default(),
            served: ServedRegistry::default(),
            sessions: SessionRegistry::default(),
            transports,
            queue_status: latest_status,
            draining: CancellationToken::new(),
            tasks,
        });
        Ok(Self { app, bus, replies, queue_status, lease, health })
    }

    async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let Self { app, bus, replies, queue_status, lease, health } = self;
        // Cancelled when all clients were let go: first the requests end, then the lease.
        let drained = CancellationToken::new();
        let api = GatewayApi::start(&app, &bus).await?;
        let (router, io) = router::router(&app);
        let addr = listener.local_addr().context("the address")?;
        let server = serve_http(Acceptor::new(listener, app.config.patience()), router, drained.clone());

        let mut supervisor = Supervisor::new(&shutdown);
        supervisor.spawn_background("replies", replies.run());
        supervisor.spawn_background("queue status", queue_status.run());
        supervisor
            .spawn_background("resync after reconnects", resync_after_reconnects(bus.clone(), app.served.clone()));
        supervisor.spawn_background("health", health.serve());
        supervisor.spawn("lease", lease.hold(app.served.clone(), drained.clone()));
        supervisor.spawn("service API", api.run(app.clone(), drained.clone()));
        supervisor.spawn("HTTP server", server);
        let (cleaning, cleaned_until) = (app.clone(), drained.clone());
        supervisor.spawn("rate limits", async move {
            cleaning.rate_limits.clean_up(&cleaned_until).await;
            Ok(())
        });
        supervisor.spawn("drain", drain(app.clone(), io, shutdown, drained));
        tracing::info!(%addr, gateway.id = %app.id, "listening");
        supervisor.run().await?;
        bus.flush().await;
        Ok(())
    }
}

/// Serves clients until `stopped`, and the requests in flight for a while.
async fn serve_http(acceptor: Acceptor, router: axum::Router, stopped: CancellationToken) -> anyhow::Result<()> {
    let service = router.into_make_service_with_connect_info::<Peer>();
    let server = axum::serve(acceptor, service).with_graceful_shutdown(stopped.clone().cancelled_owned());
    // A request that never ends does not hold up the rest.
    let overdue = async {
        stopped.cancelled().await;
        tokio::time::sleep(DRAIN_STEP).await;
    };
    tokio::select! {
        served = std::future::IntoFuture::into_future(server) => served.context("serving clients"),
        () = overdue => Ok(()),
    }
}

/// After the shutdown only REST is served, and clients are let go one after the other. The lease is held until then.
async fn drain(
    app: Shared,
    io: SocketIo,
    shutdown: CancellationToken,
    drained: CancellationToken,
) -> anyhow::Result<()> {
    shutdown.cancelled().await;
    app.draining.cancel();
    if !app.sessions.drain(&app.closer, app.config.drain_spread).await {
        tracing::warn!("NATS unavailable: some disconnects are not published");
    }
    // It waits for the buffers of all, also for those of a client that has stopped to read.
    if timeout(DRAIN_STEP, io.close()).await.is_err() {
        tracing::warn!("some connections were cut off");
    }
    if !app.backend.until_stored().give_up() {
        tracing::warn!("NATS unavailable: some commands are not stored");
    }
    app.tasks.close();
    drained.cancel();
    if timeout(DRAIN_STEP, app.tasks.wait()).await.is_err() {
        tracing::warn!(tasks = app.tasks.len(), "some sessions have not ended");
    }
    Ok(())
}
