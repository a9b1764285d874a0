//! What keeps a gateway believed in: its lease on the bus, and a second look at the state when
//! something may have been missed.

use crate::state::{Resync, Shared};
use futures_util::StreamExt as _;
use proto::{
    events::QueueStatus,
    lease::{Held, Lease, gateway_key},
    numbers::LEASE_LOSSES,
    subjects,
};
use std::{sync::atomic::Ordering, time::Duration};

/// At how many renewals everybody looks again after the lease had lapsed: a sweep that had begun before may still be
/// declaring them gone.
const LOOKS: u32 = 2;

/// Renews this gateway's lease, three times in its time to live, until a drain has let everybody go.
pub(crate) async fn hold_lease(app: Shared, mut lease: Lease) {
    let mut tick = tokio::time::interval(app.config.lease / 3);
    let (mut held_before, mut looks) = (false, 0);
    let mut connects = connects(&app);
    while app.gone.run_until_cancelled(tick.tick()).await.is_some() {
        match lease.hold().await {
            Ok(Held::Taken) if held_before => {
                metrics::counter!(LEASE_LOSSES).increment(1);
                tracing::warn!("the lease had lapsed: everybody here is reported as connected again");
                app.resync.send_modify(|resync| resync.lapsed += 1);
                looks = LOOKS;
            }
            Ok(Held::ByAnother) => {
                metrics::counter!(LEASE_LOSSES).increment(1);
                tracing::warn!("the lease was written by somebody else; taking it again");
            }
            Ok(Held::Kept) if looks > 0 => {
                app.resync.send_modify(|resync| resync.lapsed += 1);
                looks -= 1;
            }
            Ok(Held::Taken | Held::Kept) => held_before = true,
            Err(error) => tracing::warn!("the lease was not renewed: {error:#}"),
        }
        look_again_after_reconnect(&app, &mut connects);
    }
    if let Err(error) = lease.give_back().await {
        tracing::warn!("{error:#}");
    }
}

/// Opens the lease of this gateway.
pub(crate) async fn lease(app: &Shared) -> anyhow::Result<Lease> {
    Lease::new(&app.bus, &gateway_key(&app.id), &app.id.to_string(), app.config.lease).await
}

fn connects(app: &Shared) -> u64 {
    app.bus.client.statistics().connects.load(Ordering::Relaxed)
}

// While NATS was away, live events went past this gateway.
fn look_again_after_reconnect(app: &Shared, before: &mut u64) {
    let now = connects(app);
    if std::mem::replace(before, now) != now {
        app.resync.send_modify(|resync: &mut Resync| resync.reconnected += 1);
    }
}

/// Keeps the latest word of how many wait.
pub(crate) async fn follow_queue_status(app: Shared) -> anyhow::Result<()> {
    let mut told = app.bus.client.subscribe(subjects::QUEUE_STATUS).await?;
    tokio::spawn(async move {
        while let Some(status) = told.next().await {
            match serde_json::from_slice::<QueueStatus>(&status.payload) {
                Ok(status) => app.queue_status.send_replace(status),
                Err(error) => {
                    tracing::error!(line = error.line(), "the queue status cannot be read");
                    continue;
                }
            };
        }
    });
    Ok(())
}

/// How long each step of a drain may take.
pub(crate) const GOODBYES: Duration = Duration::from_secs(4);
