//! Keys with a time to live in the bucket of leases: `gateway.<id>` says that a gateway lives,
//! `matcher.tick` which matcher ticks. Each write expects the revision of the one before, so
//! that two holders notice each other.

use crate::{bus::Bus, streams};
use anyhow::Context as _;
use async_nats::jetstream::{kv, message::PublishMessage};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// The key of the matcher that ticks.
pub const TICK: &str = "matcher.tick";
const GATEWAY: &str = "gateway.";

/// The key of a gateway.
#[must_use]
pub fn gateway_key(gateway: &crate::GatewayId) -> String {
    format!("{GATEWAY}{gateway}")
}

/// A key that this process holds, or tries to.
pub struct Lease {
    bus: Bus,
    store: kv::Store,
    key: String,
    holder: String,
    ttl: Duration,
    revision: Option<u64>,
    /// When it was last written for sure.
    written: Option<Instant>,
}

impl Lease {
    /// Not yet held. The server counts times to live in whole seconds.
    ///
    /// # Errors
    /// When the bucket is not there.
    pub async fn new(bus: &Bus, key: &str, holder: &str, ttl: Duration) -> anyhow::Result<Self> {
        let store = bus.js.get_key_value(streams::LEASES).await.context("opening the bucket of leases")?;
        let (key, holder) = (key.to_owned(), holder.to_owned());
        Ok(Self { bus: bus.clone(), store, key, holder, ttl, revision: None, written: None })
    }

    /// Takes the key if it is free, or keeps it for another time to live.
    ///
    /// # Errors
    /// When NATS does not answer; whether the key is held is then unknown.
    pub async fn hold(&mut self) -> anyhow::Result<Held> {
        // One whose last write got no answer may still be ours: it has not lapsed yet.
        let kept = self.written.is_some_and(|written| written.elapsed() < self.ttl);
        let asked = Instant::now();
        let expected = match self.revision.take() {
            Some(revision) => revision,
            None => match self.free().await? {
                Some(revision) => revision,
                None => return Ok(Held::ByAnother),
            },
        };
        let message = PublishMessage::build()
            .payload(Bytes::from(self.holder.clone()))
            .expected_last_subject_sequence(expected)
            .ttl(self.ttl);
        let subject = format!("$KV.{}.{}", streams::LEASES, self.key);
        let ack = self.bus.js.send_publish(subject, message).await.context("writing a lease")?.await;
        match ack {
            Ok(ack) => {
                self.revision = Some(ack.sequence);
                self.written = Some(asked);
                Ok(if kept { Held::Kept } else { Held::Taken })
            }
            Err(error) if error.kind() == async_nats::jetstream::context::PublishErrorKind::WrongLastSequence => {
                Ok(Held::ByAnother)
            }
            Err(error) => Err(error).context("writing a lease"),
        }
    }

    /// The revision to expect when the key is free: never written, lapsed or given back.
    async fn free(&self) -> anyhow::Result<Option<u64>> {
        let entry = self.store.entry(&self.key).await.context("reading a lease")?;
        Ok(match entry {
            None => Some(0),
            Some(entry) if entry.operation != kv::Operation::Put => Some(entry.revision),
            // Left by an earlier life of this very process name.
            Some(entry) if entry.value == self.holder.as_bytes() => Some(entry.revision),
            Some(_) => None,
        })
    }

    /// Gives it back, so that the next one need not wait.
    ///
    /// # Errors
    /// When NATS does not answer; then it lapses by itself.
    pub async fn give_back(mut self) -> anyhow::Result<()> {
        if let Some(revision) = self.revision.take() {
            // The mark of it lapses too: keys of processes would otherwise add up for ever.
            self.store
                .purge_expect_revision_with_ttl(&self.key, revision, self.ttl)
                .await
                .context("giving a lease back")?;
        }
        Ok(())
    }
}

/// What [`Lease::hold`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It was free, or had lapsed.
    Taken,
    /// It was ours and still is.
    Kept,
    /// Somebody else has it.
    ByAnother,
}

/// Who holds a key; nobody when it is free or has lapsed.
///
/// # Errors
/// When NATS does not answer.
pub async fn holder(bus: &Bus, key: &str) -> anyhow::Result<Option<String>> {
    let store = bus.js.get_key_value(streams::LEASES).await.context("opening the bucket of leases")?;
    let value = store.get(key).await.context("reading a lease")?;
    Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
}

/// The gateways whose keys are alive.
///
/// # Errors
/// When NATS does not answer.
pub async fn live_gateways(bus: &Bus) -> anyhow::Result<BTreeSet<String>> {
    let store = bus.js.get_key_value(streams::LEASES).await.context("opening the bucket of leases")?;
    let keys: Vec<String> = store.keys().await.context("listing leases")?.try_collect().await.context("listing")?;
    Ok(keys.into_iter().filter_map(|key| key.strip_prefix(GATEWAY).map(ToOwned::to_owned)).collect())
}
