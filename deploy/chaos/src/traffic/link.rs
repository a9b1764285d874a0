//! How a simulated person's connection is made, lost and found again.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    history::Event,
    life::{Life, Line, PATIENCE, Stage},
};

/// For how long a page tries to come back.
const COMING_BACK: Duration = Duration::from_secs(40);

impl Life {
    pub(crate) async fn lose_connection(&mut self, away: std::ops::Range<u64>) {
        self.cut(true);
        let away = Duration::from_millis(self.rng.u64(away));
        let world = self.world.clone();
        tokio::select! {
            () = sleep(away) => {}
            () = world.closed() => {}
        }
    }

    /// Connects through one gateway after the other; false when there is no way back.
    pub(crate) async fn come_back(&mut self) -> bool {
        let deadline = Instant::now() + COMING_BACK;
        let mut gateway = self.rng.usize(..self.world.gateways.len());
        while Instant::now() < deadline {
            if self.connect(gateway).await {
                return true;
            }
            gateway = (gateway + 1) % self.world.gateways.len();
            sleep(Duration::from_millis(self.rng.u64(100..700))).await;
        }
        false
    }

    async fn connect(&mut self, gateway: usize) -> bool {
        let last_seq = (self.stage == Stage::Room).then_some(self.seen);
        let url = self.world.gateways[gateway].clone();
        let person = self.person.clone();
        self.note(Event::Coming);
        let connecting = async {
            let socket = match last_seq {
                Some(seen) => person.resume(&url, seen).await?,
                None => person.connect(&url).await?,
            };
            let resumed = socket.wait_for("resumed").await?;
            anyhow::Ok((socket, resumed))
        };
        let Ok(Ok((socket, resumed))) = timeout(PATIENCE, connecting).await else {
            self.note(Event::Missed);
            return false;
        };
        let number = self.world.number();
        self.line = Some(Line { socket: Arc::new(socket), number, gateway });
        let state = resumed["state"].as_str().unwrap_or_default().to_owned();
        let room = resumed["room_id"].as_str().map(ToOwned::to_owned);
        self.note(Event::Connected { connection: number, gateway, state, room, last_seq, old: false });
        self.hear("resumed", &resumed);
        for number in self.drafts.keys().copied().collect::<Vec<_>>() {
            self.send(number).await;
        }
        true
    }

    /// Without a word: as a lost network, or because the other side did.
    pub(crate) fn cut(&mut self, cut: bool) {
        self.sending.abort_all();
        self.sending = JoinSet::new();
        if let Some(line) = self.line.take() {
            self.note(Event::Lost { connection: line.number, cut });
        }
    }
}
