//! The traffic: a bounded number of simulated people at once, one new for each who is done; and what can be asked
//! of all of them: to come in a crowd, to speak all at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use tokio::{sync::watch, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{history::History, life::live, old};

/// One of so many comes with an old front-end.
const OLD: u32 = 4;
/// How long a crowd may take to be there.
const GATHERING: Duration = Duration::from_secs(5);

/// What all simulated people share.
pub(crate) struct World {
    /// Where people go.
    pub(crate) gateways: Vec<String>,
    pub(crate) history: History,
    connections: AtomicU32,
    closing: CancellationToken,
    shout: watch::Sender<()>,
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

    /// Changes when everybody is to say something at once.
    pub(crate) fn shouts(&self) -> watch::Receiver<()> {
        self.shout.subscribe()
    }
}

/// The moment at which a crowd queues, all at once.
#[derive(Clone)]
pub(crate) struct Start {
    ready: watch::Sender<u32>,
    go: CancellationToken,
}

impl Start {
    /// Is there, and waits for the others.
    pub(crate) async fn line_up(&self) {
        self.ready.send_modify(|count| *count += 1);
        self.go.cancelled().await;
    }
}

/// People who come and go.
pub struct People {
    world: Arc<World>,
    seats: JoinSet<()>,
    rng: Rng,
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
            shout: watch::Sender::new(()),
        });
        let mut seats = JoinSet::new();
        for seat in 0..count as u64 {
            seats.spawn(seat_of(world.clone(), Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(seat))));
        }
        Self { world, seats, rng: Rng::with_seed(!seed) }
    }

    /// Lets so many more in, who queue all at once as soon as they are there; each stays for one life.
    pub(crate) async fn rush(&mut self, count: u32) {
        let start = Start { ready: watch::Sender::new(0), go: CancellationToken::new() };
        let mut ready = start.ready.subscribe();
        for _ in 0..count {
            self.seats.spawn(live(self.world.clone(), self.rng.fork(), Some(start.clone())));
        }
        let _not_all = tokio::time::timeout(GATHERING, ready.wait_for(|ready| *ready == count)).await;
        start.go.cancel();
    }

    /// Everybody in a room says some things, now.
    pub(crate) fn shout(&self) {
        self.world.shout.send_replace(());
    }

    /// Lets nobody in any more, sends everybody home and waits until they are gone, as long as they may need.
    /// Answers how many are not.
    pub async fn go_home(mut self, patience: Duration) -> usize {
        self.world.closing.cancel();
        let gone = async { while self.seats.join_next().await.is_some() {} };
        let _all_gone = tokio::time::timeout(patience, gone).await;
        self.seats.len()
    }
}

async fn seat_of(world: Arc<World>, mut rng: Rng) {
    sleep(Duration::from_millis(rng.u64(..3_000))).await;
    while !world.closing() {
        if rng.u32(..OLD) == 0 {
            old::live(world.clone(), rng.fork()).await;
        } else {
            live(world.clone(), rng.fork(), None).await;
        }
        sleep(Duration::from_millis(rng.u64(50..1_500))).await;
    }
}
