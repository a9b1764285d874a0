//! The traffic: a bounded number of simulated users at once, a new one for each that is done; and what can be asked of
//! all of them: to come in a crowd, to send messages at the same moment.
//!
//! `world` is what they share, `habits` what the seed decides about a match; `current` and `legacy` are the users.

mod current;
mod habits;
mod legacy;
mod world;

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use tokio::{task::JoinSet, time::sleep};

use self::{
    current::Arrival,
    habits::Visit,
    world::{Start, World},
};
use crate::history::History;

/// One of so many users has a legacy client.
const LEGACY: u32 = 4;
/// How long a crowd may take to gather.
const GATHERING: Duration = Duration::from_secs(5);

/// Users who come and go.
pub struct Traffic {
    world: Arc<World>,
    seats: JoinSet<()>,
    rng: Rng,
}

impl Traffic {
    /// Starts so many users, each decided by the seed.
    #[must_use]
    pub fn start(gateways: &[String], history: &History, count: usize, seed: u64) -> Self {
        let world = Arc::new(World::new(gateways, history));
        let mut seats = JoinSet::new();
        for seat in 0..count as u64 {
            seats.spawn(keep_seat(world.clone(), Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(seat))));
        }
        Self { world, seats, rng: Rng::with_seed(!seed) }
    }

    /// So many more users with current clients, who queue all at once as soon as they are connected.
    pub(crate) async fn add_crowd(&mut self, count: u32) {
        let start = Start::new();
        for _ in 0..count {
            let rng = self.rng.fork();
            let arrival = self.arrival(Visit::Usual, Some(start.clone()));
            self.seats.spawn(current::live(self.world.clone(), rng, arrival));
        }
        start.go(count, GATHERING).await;
    }

    /// So many more users of all kinds, who queue all at once and most of whom leave at the moment of the match.
    pub(crate) async fn add_fickle_crowd(&mut self, count: u32) {
        let start = Start::new();
        for number in 0..count {
            let (world, rng) = (self.world.clone(), self.rng.fork());
            if number % 2 == 0 {
                let arrival = self.arrival(Visit::Fickle, Some(start.clone()));
                self.seats.spawn(current::live(world, rng, arrival));
            } else {
                self.seats.spawn(legacy::live(world, rng, Visit::Fickle, Some(start.clone())));
            }
        }
        start.go(count, GATHERING).await;
    }

    /// So many users who open one tab on the first gateway and then another one on the second.
    pub(crate) fn add_two_tabs(&mut self, count: u32, older: usize, newer: usize) {
        for _ in 0..count {
            let arrival = Arrival { visit: Visit::Usual, start: None, older_tab: Some(older), gateway: newer };
            self.seats.spawn(current::live(self.world.clone(), self.rng.fork(), arrival));
        }
    }

    fn arrival(&mut self, visit: Visit, start: Option<Start>) -> Arrival {
        Arrival { visit, start, older_tab: None, gateway: self.rng.usize(..self.world.gateways()) }
    }

    /// Has everybody in a room send some messages now.
    pub(crate) fn burst(&self) {
        self.world.start_burst();
    }

    /// Lets no new users in and waits until all have left, for so long at most; how many have not.
    pub async fn finish(mut self, patience: Duration) -> (usize, Lingering) {
        self.world.close();
        let gone = async { while self.seats.join_next().await.is_some() {} };
        let _all_gone = tokio::time::timeout(patience, gone).await;
        (self.seats.len(), Lingering(self.world))
    }
}

/// The connections whose packets are dropped, which outlast their users; closed when this is dropped.
pub struct Lingering(#[expect(dead_code, reason = "holds the connections")] Arc<World>);

async fn keep_seat(world: Arc<World>, mut rng: Rng) {
    sleep(Duration::from_millis(rng.u64(..3_000))).await;
    while !world.is_closing() {
        if rng.u32(..LEGACY) == 0 {
            legacy::live(world.clone(), rng.fork(), Visit::Usual, None).await;
        } else {
            let gateway = rng.usize(..world.gateways());
            let arrival = Arrival { visit: Visit::Usual, start: None, older_tab: None, gateway };
            current::live(world.clone(), rng.fork(), arrival).await;
        }
        sleep(Duration::from_millis(rng.u64(50..1_500))).await;
    }
}
