//! The lease of this gateway: while it is alive, the matchers count its connections as open. A gateway that only hung
//! publishes nothing when it wakes up; its sessions fetch their users' state, since it may have changed meanwhile.

use crate::presence::registry::ServedRegistry;
use proto::{
    GatewayId,
    bus::Bus,
    lease::{Lease, Renewal, gateway_key},
    metrics::LEASE_LOSSES,
};
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often the connection to NATS is looked at: while it was down, notifications were lost.
const RECONNECT_POLL: Duration = Duration::from_millis(250);

/// Holds the lease of a gateway.
pub(crate) struct GatewayLease {
    lease: Lease,
    ttl: Duration,
    acquired: bool,
}

impl GatewayLease {
    /// Not held yet. It lives for `ttl`, whole seconds, without a renewal.
    ///
    /// # Errors
    /// When NATS is unavailable.
    pub(crate) async fn open(bus: &Bus, gateway: &GatewayId, ttl: Duration) -> anyhow::Result<Self> {
        let lease = Lease::new(bus, &gateway_key(gateway), &gateway.to_string(), ttl).await?;
        Ok(Self { lease, ttl, acquired: false })
    }

    /// Renews it three times in its time to live, until `stopped`; then it is released.
    pub(crate) async fn hold(mut self, served: ServedRegistry, stopped: CancellationToken) -> anyhow::Result<()> {
        let mut ticks = interval(self.ttl / 3);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stopped.run_until_cancelled(ticks.tick()).await.is_some() {
            self.renew(&served).await;
        }
        if let Err(error) = self.lease.release().await {
            tracing::warn!("lease not released: {error:#}");
        }
        Ok(())
    }

    async fn renew(&mut self, served: &ServedRegistry) {
        match self.lease.renew().await {
            Ok(Renewal::Acquired) if self.acquired => {
                metrics::counter!(LEASE_LOSSES).increment(1);
                let sessions = served.resync_all();
                tracing::warn!(sessions, "lease lapsed and acquired again");
            }
            Ok(Renewal::Acquired | Renewal::Renewed) => self.acquired = true,
            Ok(Renewal::HeldByAnother) => {
                metrics::counter!(LEASE_LOSSES).increment(1);
                tracing::warn!("lease held by another process");
            }
            Err(error) => tracing::warn!("lease not renewed: {error:#}"),
        }
    }
}

/// Has all sessions fetch their users' state after each reconnect to NATS, for as long as the process runs.
pub(crate) async fn resync_after_reconnects(bus: Bus, served: ServedRegistry) -> anyhow::Result<()> {
    let connects = || bus.client.statistics().connects.load(Ordering::Relaxed);
    let mut known = connects();
    let mut ticks = interval(RECONNECT_POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = connects();
        if now != known && bus.is_connected() {
            known = now;
            // Not among the fields: those are evaluated only where the line is logged.
            let sessions = served.resync_all();
            tracing::info!(sessions, "resync after NATS reconnect");
        }
    }
}
