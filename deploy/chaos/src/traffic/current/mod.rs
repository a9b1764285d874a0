//! One simulated user with a current client, from the first page to the end: queues, sends numbered messages, likes,
//! loses the connection in several ways and comes back through any gateway, opens a second tab, leaves or vanishes, and
//! queues again under the same id.

mod link;
mod outbox;
mod page;
mod place;

use std::{ops::Range, sync::Arc, time::Duration};

use fastrand::Rng;
use person::Person;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use self::{
    page::Page,
    place::{Reaction, Stage},
};
use super::{
    habits::{self, AtMatch, Exit, Visit},
    world::{PATIENCE, Start, World},
};
use crate::history::Event;

/// How long a user waits for a partner before giving up.
const LONGEST_WAIT: Duration = Duration::from_secs(100);
/// For how long a page tries to come back.
const COMING_BACK: Duration = Duration::from_secs(40);
/// How long a user needs to open another tab, in milliseconds.
const BETWEEN_TABS: Range<u64> = 200..3_000;
/// How a user goes at the moment of the match, one as likely as another.
const EXITS: [Exit; 5] = [Exit::LeaveRoom, Exit::LeaveRoom, Exit::LeaveRoom, Exit::Disconnect, Exit::CloseTab];

/// How a user arrives.
pub(crate) struct Arrival {
    pub(crate) visit: Visit,
    /// To be waited for before the first queue request.
    pub(crate) start: Option<Start>,
    /// The gateway of a tab that is opened first, and stays open.
    pub(crate) older_tab: Option<usize>,
    /// The gateway of the connection that is used.
    pub(crate) gateway: usize,
}

struct CurrentClient {
    world: Arc<World>,
    rng: Rng,
    page: Page,
    staying: Duration,
    at_match: AtMatch,
    /// How the user goes now.
    exit: Option<Exit>,
    start: Option<Start>,
    bursts: watch::Receiver<()>,
}

/// Runs one user to the end.
pub(crate) async fn live(world: Arc<World>, mut rng: Rng, arrival: Arrival) {
    let Arrival { visit, start, older_tab, gateway } = arrival;
    let Ok(Ok(person)) = timeout(PATIENCE, Person::arrive(world.url(gateway))).await else {
        // That gateway is unavailable; the next user tries another one.
        return sleep(Duration::from_millis(300)).await;
    };
    let (staying, at_match) = (habits::stay(&mut rng), visit.at_match(&mut rng, &EXITS));
    let (page, bursts) = (Page::new(world.clone(), person), world.bursts());
    let mut client = CurrentClient { world, rng, page, staying, at_match, exit: None, start, bursts };
    if let Some(older) = older_tab {
        client.page.open_older_tab(older).await;
        client.stay_away(BETWEEN_TABS).await;
        client.connect(gateway).await;
    }
    client.run().await;
    client.page.close_all();
}

impl CurrentClient {
    async fn run(&mut self) {
        while self.page.stage() != Stage::Over {
            if self.page.socket().is_none() && !self.come_back().await {
                return self.page.note(Event::Vanished);
            }
            match self.exit.take() {
                Some(exit) => self.leave_by(exit).await,
                None if self.page.stage() == Stage::Idle => self.queue().await,
                None => self.next_moment().await,
            }
        }
    }

    /// Whatever happens next: an event, an acknowledgement, a burst, or the user's own idea.
    async fn next_moment(&mut self) {
        let Some(socket) = self.page.socket() else { return };
        let pause = if self.page.stage() == Stage::Room { 100..900 } else { 500..2_000 };
        let idea = Instant::now() + Duration::from_millis(self.rng.u64(pause));
        tokio::select! {
            incoming = socket.next_within(Duration::from_secs(3600)) => {
                drop(socket);
                let reaction = self.page.receive(incoming);
                self.react(reaction);
            }
            Some(outcome) = self.page.next_outcome() => { drop(socket); self.page.acknowledged(outcome).await }
            Ok(()) = self.bursts.changed() => { drop(socket); self.page.burst().await }
            () = sleep_until(idea) => { drop(socket); self.have_an_idea().await }
        }
    }

    fn react(&mut self, reaction: Reaction) {
        match (reaction, self.at_match) {
            (Reaction::Match, AtMatch::Leave(exit)) => self.exit = Some(exit),
            (Reaction::RoomOver, _) => self.finish(),
            // A page stops then.
            (Reaction::Replaced, _) => self.page.enter(Stage::Over),
            // So that those who never come back are those whom a fault disconnected, too.
            (Reaction::Closed, _) if self.rng.u32(..6) == 0 => self.vanish(),
            _ => {}
        }
    }

    /// The room is over. Every other user queues again with the same secret.
    fn finish(&mut self) {
        let again = !self.world.is_closing() && self.rng.bool();
        self.page.enter(if again { Stage::Idle } else { Stage::Over });
        self.staying = habits::stay(&mut self.rng);
        self.at_match = Visit::Usual.at_match(&mut self.rng, &EXITS);
    }

    async fn have_an_idea(&mut self) {
        if self.world.is_closing() {
            // At the end of the run most leave, and some just close the page.
            return if self.rng.u32(..4) == 0 { self.vanish() } else { self.leave().await };
        }
        let chance = self.rng.u32(..1000);
        match self.page.stage() {
            Stage::Waiting if self.page.since() > LONGEST_WAIT => self.leave().await,
            Stage::Waiting => match chance {
                0..30 => self.lose_connection(300..6_000).await,
                30..40 => self.vanish(),
                40..45 => self.leave().await,
                45..55 => self.lose_packets().await,
                55..65 => self.open_second_tab().await,
                _ => {}
            },
            Stage::Room if self.page.since() > self.staying => match chance {
                0..150 => self.vanish(),
                _ => self.leave().await,
            },
            Stage::Room => match chance {
                0..25 => self.lose_connection(100..9_000).await,
                25..30 => self.lose_connection(33_000..38_000).await,
                30..40 => self.lose_packets().await,
                40..50 => self.open_second_tab().await,
                50..150 => self.page.like(),
                _ => self.page.send_message().await,
            },
            Stage::Idle | Stage::Over => {}
        }
    }

    async fn queue(&mut self) {
        if self.world.is_closing() {
            return self.page.enter(Stage::Over);
        }
        if let Some(start) = self.start.take() {
            start.line_up().await;
        }
        if !self.page.queue(habits::queue(&mut self.rng)).await {
            return sleep(Duration::from_millis(500)).await;
        }
        // Users who must not be matched while they are away.
        match self.rng.u32(..20) {
            0 => self.lose_connection(3_000..9_000).await,
            1 => self.vanish(),
            _ => {}
        }
    }

    async fn leave(&mut self) {
        if self.page.leave().await {
            self.finish();
        }
    }

    async fn leave_by(&mut self, exit: Exit) {
        match exit {
            Exit::LeaveRoom => self.leave().await,
            Exit::CloseTab => self.vanish(),
            Exit::Disconnect => self.page.disconnect().await,
        }
    }

    fn vanish(&mut self) {
        self.page.close_all();
        self.page.note(Event::Vanished);
        self.page.enter(Stage::Over);
    }

    async fn lose_connection(&mut self, away: Range<u64>) {
        self.page.close(true);
        self.stay_away(away).await;
    }

    /// A network that drops packets: the gateway receives no sign of it. One in four never comes back.
    async fn lose_packets(&mut self) {
        self.page.silence();
        if self.rng.u32(..4) == 0 {
            return self.vanish();
        }
        self.stay_away(1_500..9_000).await;
    }

    async fn stay_away(&mut self, away: Range<u64>) {
        let away = Duration::from_millis(self.rng.u64(away));
        // Ends early when the run is over.
        let _over = timeout(away, self.world.closed()).await;
    }

    /// The older tab stays open, and has to fall silent.
    async fn open_second_tab(&mut self) {
        let gateway = self.rng.usize(..self.world.gateways());
        if !self.connect(gateway).await {
            // The gateway that did not reply may have claimed the user all the same.
            self.page.close(true);
        }
    }

    /// Connects through one gateway after the other; false when there is no way back.
    async fn come_back(&mut self) -> bool {
        let deadline = Instant::now() + COMING_BACK;
        let mut gateway = self.rng.usize(..self.world.gateways());
        while Instant::now() < deadline {
            if self.connect(gateway).await {
                return true;
            }
            gateway = (gateway + 1) % self.world.gateways();
            sleep(Duration::from_millis(self.rng.u64(100..700))).await;
        }
        false
    }

    async fn connect(&mut self, gateway: usize) -> bool {
        let Some(reaction) = self.page.connect(gateway).await else { return false };
        self.react(reaction);
        true
    }
}
