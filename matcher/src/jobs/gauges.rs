//! What the leader measures every few seconds, for its metrics: users, rooms, and how far the consumers of the streams
//! are behind.

use crate::{
    context::Context,
    domain::placement::State,
    metrics::{CONSUMER_PENDING, CONSUMER_UNACKNOWLEDGED, DEAD_LETTERS, ROOMS_OPEN, USERS},
};
use async_nats::jetstream::consumer::Info;
use futures_util::TryStreamExt as _;
use proto::streams;
use std::time::Duration;

/// About as often as a usual scrape.
pub(crate) const EVERY: Duration = Duration::from_secs(5);

/// Measures once.
pub(super) async fn measure(context: &Context) -> anyhow::Result<()> {
    let users = context.store.users.by_state().await?;
    for state in State::NAMES {
        metrics::gauge!(USERS, "state" => state).set(of(&users, state));
    }
    metrics::gauge!(ROOMS_OPEN).set(float(context.store.rooms.count_open().await?));
    let dead = context.bus.js.get_stream(streams::DEAD).await?.cached_info().state.messages;
    metrics::gauge!(DEAD_LETTERS).set(float(dead));
    for stream in [streams::USERS, streams::MESSAGES] {
        let mut consumers = context.bus.js.get_stream_no_info(stream).await?.consumers();
        while let Some(consumer) = consumers.try_next().await? {
            set(consumer);
        }
    }
    Ok(())
}

fn set(consumer: Info) {
    let unacknowledged = u64::try_from(consumer.num_ack_pending).unwrap_or(u64::MAX);
    metrics::gauge!(CONSUMER_UNACKNOWLEDGED, "consumer" => consumer.name.clone()).set(float(unacknowledged));
    metrics::gauge!(CONSUMER_PENDING, "consumer" => consumer.name).set(float(consumer.num_pending));
}

fn of(users: &[(String, u64)], state: &str) -> f64 {
    float(users.iter().find(|(name, _)| name == state).map_or(0, |(_, count)| *count))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
