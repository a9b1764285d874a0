//! The traffic: a bounded number of simulated people at once, one new for each who is done.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{history::History, life::live};

/// What all simulated people share.
pub(crate) struct World {
    /// Where people go.
    pub(crate) gateways: Vec<String>,
    pub(crate) history: History,
    connections: AtomicU32,
    closing: CancellationToken,
}

impl World {
    /// A connection's number.
    pub(crate) fn number(&self) -> u32 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// It is time to go home.
    pub(crate) fn closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Returns when it is time to go home.
    pub(crate) async fn closed(&self) {
        self.closing.cancelled().await;
    }
}

/// People who come and go.
pub struct People {
    world: Arc<World>,
    seats: JoinSet<()>,
}

impl People {
    /// Lets so many in, each with a life that the seed decides.
    #[must_use]
    pub fn arrive(gateways: &[String], history: &History, count: usize, seed: u64) -> Self {
        let world = Arc::new(World {
            gateways: gateways.to_vec(),
            history: history.clone(),
            connections: AtomicU32::new(0),
            closing: CancellationToken::new(),
        });
        let mut seats = JoinSet::new();
        for seat in 0..count as u64 {
            seats.spawn(seat_of(world.clone(), Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(seat))));
        }
        Self { world, seats }
    }

    /// Lets nobody in any more, sends everybody home and waits until they are gone, as long as they may need.
    pub async fn go_home(mut self, patience: Duration) {
        self.world.closing.cancel();
        let gone = async { while self.seats.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, gone).await.is_err() {
            self.seats.abort_all();
        }
    }
}

async fn seat_of(world: Arc<World>, mut rng: Rng) {
    sleep(Duration::from_millis(rng.u64(..3_000))).await;
    while !world.closing() {
        live(world.clone(), rng.fork()).await;
        sleep(Duration::from_millis(rng.u64(50..1_500))).await;
    }
}
