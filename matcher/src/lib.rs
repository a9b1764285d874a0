//! The matcher of *talk to me*: owns `users` and `rooms`, pairs people who wait, and keeps
//! track of who is connected.
//!
//! ```text
//! somebody queues
//!   TALK_USERS ──▶ commands   decode; one user's commands one after the other
//!              ──▶ apply      a step with the user ──▶ place, connection (pure), users (MongoDB)
//!              ──▶ commands   reply, then acknowledge
//! the bell, or every 3 s, in the matcher that holds the lease
//!   tick       ──▶ matching   reads who waits ──▶ claims
//!              ──▶ pairing    who with whom: pure
//!              ──▶ claims     a room for each pair; both are bound to it if they still wait
//!              ──▶ announce   Matched to both; marks the room as announced
//! somebody leaves, or stays away
//!   apply, sweep ──▶ ending   closes the room; RoomEnded to the chat-store; Ended to both; erases
//! ```
//!
//! Any number of replicas apply commands; one of them ticks. Whatever a crash cuts off is done
//! again: a command is delivered again and changes nothing twice, a room that was not announced
//! or not finished is found by `sweep`. Nobody is removed while the command that brings them back
//! lies in the stream, nor in the first seconds after an outage: gateways say then who is
//! connected. `reads` answers where somebody stands, and who waits.
//!
//! | state of a user | offered as a match | goes on to |
//! |---|---|---|
//! | idle, or no document | no | waiting (queue) |
//! | waiting | while connected | paired (tick), gone (leave, away too long) |
//! | paired | no | waiting (the partner vanished before it began), gone (the room's end) |
//! | gone | no | forgotten after 3 s; until then it recognises commands that come late |

mod announce;
mod apply;
mod claims;
mod commands;
mod config;
mod connection;
#[cfg(test)]
mod connection_tests;
mod counting;
mod ending;
mod failures;
mod gateways;
mod matching;
mod numbers;
mod pairing;
mod place;
mod reads;
mod rooms;
mod store;
mod sweep;
mod tick;
mod user;
mod users;
mod wake;

pub use config::Config;

use anyhow::Context as _;
use proto::{
    ProcessId,
    bus::Bus,
    health,
    service::{self, Streams},
};
use rooms::Rooms;
use std::sync::Arc;
use store::Store;
use tokio_util::sync::CancellationToken;
use users::Users;
use wake::Wake;

/// What everything here works with.
struct Matcher {
    /// The name of this process on the bus.
    id: ProcessId,
    config: Config,
    bus: Bus,
    users: Users,
    rooms: Rooms,
    claims: claims::Claims,
    wake: Wake,
}

/// Runs a matcher until `shutdown`, and finishes what it has begun.
///
/// # Errors
/// When NATS or MongoDB are not there at the start, or the health port is taken.
pub async fn run(config: Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    numbers::describe();
    let id = config.matcher_id.of_this_life().map_err(anyhow::Error::msg).context("MATCHER_ID is too long")?;
    let Some(connected) = shutdown.run_until_cancelled(connect(&config, &id)).await else { return Ok(()) };
    let (bus, store) = connected?;
    let needed = vec![bus.needed(), store.needed()];
    let wake = Wake::new(&bus);
    let Store { users, rooms, claims, .. } = store;
    let matcher = Arc::new(Matcher { id, config, bus, users, rooms, claims, wake });
    let reads = reads::open(&matcher).await?;
    health::serve(matcher.config.common.health_addr, needed, shutdown.clone()).await?;
    tokio::try_join!(
        commands::consume(&matcher, &shutdown),
        tick::run(&matcher, &shutdown),
        reads.serve(&matcher, &shutdown),
        matcher.wake.listen(&shutdown),
    )?;
    matcher.bus.flush().await;
    Ok(())
}

async fn connect(config: &Config, id: &ProcessId) -> anyhow::Result<(Bus, Store)> {
    let name = id.to_string();
    let streams = Streams::Declare { replicas: config.nats_replicas };
    tokio::try_join!(service::connect(&config.common, &name, streams), Store::connect(config))
}
