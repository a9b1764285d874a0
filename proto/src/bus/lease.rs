//! Leases: keys with a time to live. `gateway.<id>` shows that a gateway is alive, `matcher.leader` which matcher is the
//! leader. Each write expects the revision of the one before, so that two holders notice each other.

use crate::{
    bus::{client::Bus, streams},
    ids::GatewayId,
};
use anyhow::Context as _;
use async_nats::jetstream::{kv, message::PublishMessage};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// The key of the matcher that is the leader.
pub const LEADER: &str = "matcher.leader";
const GATEWAY: &str = "gateway.";

/// The key of a gateway.
#[must_use]
pub fn gateway_key(gateway: &GatewayId) -> String {
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
    /// When it was last certainly written.
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

    /// Acquires the key if it is free, or renews it for another time to live.
    ///
    /// # Errors
    /// When NATS does not reply; whether the key is held is then unknown.
    pub async fn renew(&mut self) -> anyhow::Result<Renewal> {
        // One whose last write got no reply may still be ours: it has not lapsed yet.
        let kept = self.written.is_some_and(|written| written.elapsed() < self.ttl);
        let started = Instant::now();
        let expected = match self.revision.take() {
            Some(revision) => revision,
            None => match self.free_revision().await? {
                Some(revision) => revision,
                None => return Ok(Renewal::HeldByAnother),
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
                self.written = Some(started);
                Ok(if kept { Renewal::Renewed } else { Renewal::Acquired })
            }
            Err(error) if error.kind() == async_nats::jetstream::context::PublishErrorKind::WrongLastSequence => {
                Ok(Renewal::HeldByAnother)
            }
            Err(error) => Err(error).context("writing a lease"),
        }
    }

    /// The revision to expect when the key is free: never written, lapsed or released.
    async fn free_revision(&self) -> anyhow::Result<Option<u64>> {
        let entry = self.store.entry(&self.key).await.context("reading a lease")?;
        Ok(match entry {
            None => Some(0),
            Some(entry) if entry.operation != kv::Operation::Put => Some(entry.revision),
            // Left by an earlier life of this very process name.
            Some(entry) if entry.value == self.holder.as_bytes() => Some(entry.revision),
            Some(_) => None,
        })
    }

    /// Releases it, so that the next holder need not wait.
    ///
    /// # Errors
    /// When NATS does not reply; then it lapses by itself.
    pub async fn release(mut self) -> anyhow::Result<()> {
        if let Some(revision) = self.revision.take() {
            // The marker of it lapses too: keys of processes would otherwise add up for ever.
            self.store
                .purge_expect_revision_with_ttl(&self.key, revision, self.ttl)
                .await
                .context("releasing a lease")?;
        }
        Ok(())
    }
}

/// The result of [`Lease::renew`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It was free, or had lapsed.
    Acquired,
    /// It was ours and still is.
    Renewed,
    /// Another process holds it.
    HeldByAnother,
}

/// The holder of a key; none when it is free or has lapsed.
///
/// # Errors
/// When NATS does not reply.
pub async fn holder(bus: &Bus, key: &str) -> anyhow::Result<Option<String>> {
    let store = bus.js.get_key_value(streams::LEASES).await.context("opening the bucket of leases")?;
    let value = store.get(key).await.context("reading a lease")?;
    Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
}

/// The gateways whose leases are alive.
///
/// # Errors
/// When NATS does not reply.
pub async fn live_gateways(bus: &Bus) -> anyhow::Result<BTreeSet<GatewayId>> {
    let store = bus.js.get_key_value(streams::LEASES).await.context("opening the bucket of leases")?;
    let keys: Vec<String> = store.keys().await.context("listing leases")?.try_collect().await.context("listing")?;
    Ok(keys.iter().filter_map(|key| key.strip_prefix(GATEWAY)?.parse().ok()).collect())
}
