//! What the ticking matcher counts every few seconds, for its metrics: users, rooms, and how far
//! the consumers of the streams are behind.

use crate::{Matcher, numbers, user::State};
use async_nats::jetstream::consumer::Info;
use futures_util::TryStreamExt as _;
use proto::streams;
use std::time::Duration;

/// How often: about as often as somebody scrapes.
pub(crate) const EVERY: Duration = Duration::from_secs(5);

impl Matcher {
    /// Counts once.
    pub(crate) async fn count(&self) -> anyhow::Result<()> {
        let users = self.users.by_state().await?;
        for state in State::NAMES {
            metrics::gauge!(numbers::USERS, "state" => state).set(of(&users, state));
        }
        metrics::gauge!(numbers::ROOMS_OPEN).set(float(self.rooms.count_open().await?));
        let dead = self.bus.js.get_stream(streams::DEAD).await?.cached_info().state.messages;
        metrics::gauge!(numbers::DEAD_LETTERS).set(float(dead));
        for stream in [streams::USERS, streams::MESSAGES] {
            let consumers = self.bus.js.get_stream_no_info(stream).await?.consumers();
            consumers
                .try_for_each(async |consumer| {
                    note(consumer);
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }
}

fn note(consumer: Info) {
    let unacknowledged = u64::try_from(consumer.num_ack_pending).unwrap_or(u64::MAX);
    metrics::gauge!(numbers::CONSUMER_UNACKNOWLEDGED, "consumer" => consumer.name.clone()).set(float(unacknowledged));
    metrics::gauge!(numbers::CONSUMER_PENDING, "consumer" => consumer.name).set(float(consumer.num_pending));
}

fn of(users: &[(String, u64)], state: &str) -> f64 {
    float(users.iter().find(|(name, _)| name == state).map_or(0, |(_, count)| *count))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
