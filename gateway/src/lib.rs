//! The gateway of *talk to me*: speaks REST and Socket.IO with people, commands and events with
//! the bus. It has no database and runs on one thread; any number of them may run.
//!
//! What happens when a message arrives, hop by hop:
//!
//! 1. By POST in [`rest`] (`send_message`), or by socket in [`talking`] (`send_message`).
//! 2. `App::send` in [`state`] publishes it as a command ([`asking`]) and waits for the result.
//! 3. chat-store keeps it and answers: the sender has its 201 or acknowledgement.
//! 4. chat-store tells both members' gateways; [`listening`] (`message`) emits it to the partner,
//!    in the order of the room's sequence ([`cursor`]); [`emitting`] keeps what a slow socket does not take; [`resuming`]
//!    asks the history where one is missing.
//!
//! What happens when somebody comes:
//!
//! 1. [`socket`]: the handshake; each event goes in order into the [`inbox`] of a session.
//! 2. [`session`] and [`identity`]: subscribes to the user's events and tells the matcher.
//! 3. `request_queue`, or POST /queue: the matcher puts the user in a queue.
//! 4. The matcher's `matched` comes in [`listening`] (`take_up`) and goes out as `queue_complete`.
//! 5. When something may have been missed, [`reasserting`] looks at the matcher's state, and says again who is here.
//! 6. [`alive`] holds the lease whose lapse tells that this gateway was killed; [`reads`] tells
//!    operators who is here.
//! 7. At SIGTERM [`leaving`] lets one person after the other go; [`connection`] closes theirs alone.
//!
//! [`web`] puts it all on one port, [`address`] and [`limits`] say how much of it one may use; [`error`] is the
//! envelope of every answer; [`spans`] is where traces begin and end.

#![expect(rustdoc::private_intra_doc_links, reason = "the page is for people who work on it")]

mod address;
mod alive;
mod asking;
mod body;
mod config;
mod connection;
#[cfg(test)]
mod contract;
mod cursor;
mod emitting;
mod error;
mod hs256;
mod identity;
mod inbox;
mod leaving;
mod limits;
mod listening;
mod names;
mod numbers;
mod order;
mod payload;
mod reads;
mod reasserting;
mod rest;
mod resuming;
mod session;
mod socket;
mod spans;
mod state;
mod talking;
mod token;
mod web;

pub use config::Config;

use anyhow::Context as _;
use asking::Asker;
use connection::{Doors, Entrance, Peer};
use leaving::Present;
use limits::Limits;
use order::Lanes;
use proto::{
    GatewayId,
    bus::Bus,
    health,
    service::{self, Streams},
    streams,
};
use socketioxide::SocketIo;
use state::{App, Memberships, Shared};
use std::{future::IntoFuture as _, sync::Arc};
use token::Secrets;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

/// The streams that it works with.
const USED: Streams = Streams::Await(&[streams::USERS, streams::MESSAGES, streams::LEASES_STREAM]);

/// Serves people until `shutdown`, then lets everybody go to another gateway.
///
/// # Errors
/// When the configuration is wrong, an address is taken, or NATS cannot be reached in time.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    numbers::describe();
    drain_fits(&config)?;
    let secrets = Secrets::new(&config)?;
    let id = config.gateway_id.of_this_life().map_err(anyhow::Error::msg).context("GATEWAY_ID is too long")?;
    let name = id.to_string();
    let connected = shutdown.run_until_cancelled(service::connect(&config.common, &name, USED)).await;
    let Some(bus) = connected.transpose()? else { return Ok(()) };
    let listener = TcpListener::bind(config.addr).await.with_context(|| format!("binding {}", config.addr))?;
    let app = start(config, id, bus, secrets).await?;
    let lease = tokio::spawn(alive::hold_lease(app.clone(), alive::lease(&app).await?));
    alive::follow_queue_status(app.clone()).await?;
    tokio::spawn(limits::keep_tidy(app.clone()));

    let (router, io, doors) = web::router(&app);
    let closing = CancellationToken::new();
    let reads = tokio::spawn(reads::open(&app).await?.serve(app.clone(), closing.clone()));
    let service = router.into_make_service_with_connect_info::<Peer>();
    let server = axum::serve(Entrance::new(listener, &app.config), service)
        .with_graceful_shutdown(closing.clone().cancelled_owned());
    let server = tokio::spawn(server.into_future());
    health::serve(app.config.common.health_addr, vec![app.bus.needed()], shutdown.clone()).await?;
    tracing::info!(addr = %app.config.addr, gateway.id = %app.id, "people can come");

    shutdown.cancelled().await;
    say_goodbye(&app, &doors, &io).await;
    closing.cancel();
    // A request that never ends does not hold up the rest.
    if let Ok(served) = tokio::time::timeout(alive::GOODBYES, server).await {
        served?.context("serving people")?;
    }
    lease.await?;
    reads.await?;
    app.bus.flush().await;
    Ok(())
}

/// From now on only REST is served; people go one after the other. The lease is held until all have gone.
async fn say_goodbye(app: &Shared, doors: &Doors, io: &SocketIo) {
    app.draining.cancel();
    if !app.present.let_go(doors, app.config.drain_spread).await {
        tracing::warn!("the bus is away: some people could not be reported as gone");
    }
    app.gone.cancel();
    // It waits for everybody's buffers, also for those of somebody who has stopped to read.
    if tokio::time::timeout(alive::GOODBYES, io.close()).await.is_err() {
        tracing::warn!("some connections were cut off");
    }
}

/// The spread, telling the matcher of the last one, the connections that are left, the requests that are left.
fn drain_fits(config: &Config) -> anyhow::Result<()> {
    let (deadline, needed) = (config.common.drain_deadline, config.drain_spread + 3 * alive::GOODBYES);
    let shown = humantime::format_duration;
    anyhow::ensure!(
        needed <= deadline,
        "DRAIN_SPREAD does not fit into DRAIN_DEADLINE: a drain may take {}, the spread included, and {} is allowed",
        shown(needed),
        shown(deadline),
    );
    Ok(())
}

async fn start(config: Config, id: GatewayId, bus: Bus, secrets: Secrets) -> anyhow::Result<Shared> {
    let asker = Asker::start(&bus, &id, config.result_deadline).await?;
    Ok(Arc::new(App {
        id,
        limits: Limits::new(&config),
        config,
        bus,
        secrets,
        asker,
        lanes: Lanes::default(),
        memberships: Memberships::default(),
        present: Present::default(),
        draining: CancellationToken::new(),
        gone: CancellationToken::new(),
        resync: watch::Sender::default(),
        queue_status: watch::Sender::default(),
    }))
}
