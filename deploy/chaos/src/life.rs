//! One simulated person, from the first page to the end: queues, talks with numbered messages, likes, loses the
//! connection and comes back through another gateway, leaves or vanishes. Notes everything in the history.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastrand::Rng;
use person::{Person, Socket};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    history::Event,
    people::{Start, World},
    talking::{Answer, Draft},
};

/// How long a gateway may take to answer anything but a message; a page would try another one then.
pub(crate) const PATIENCE: Duration = Duration::from_secs(7);
/// How long somebody waits for a partner before they give up.
const LONGEST_WAIT: Duration = Duration::from_secs(100);

/// Where they are, as far as they know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stage {
    Idle,
    Waiting,
    Room,
    Over,
}

/// A connection and its number.
pub(crate) struct Line {
    pub(crate) socket: Arc<Socket>,
    pub(crate) number: u32,
    pub(crate) gateway: usize,
}

/// Somebody.
pub(crate) struct Life {
    pub(crate) world: Arc<World>,
    pub(crate) rng: Rng,
    pub(crate) person: Person,
    pub(crate) line: Option<Line>,
    pub(crate) stage: Stage,
    /// The last sequence that they have seen in the room.
    pub(crate) seen: u64,
    pub(crate) room: Option<String>,
    /// Messages that are not acknowledged, by their number.
    pub(crate) drafts: BTreeMap<u64, Draft>,
    pub(crate) said: u64,
    pub(crate) sending: JoinSet<Answer>,
    /// The last message of the partner, to be liked.
    pub(crate) heard: Option<String>,
    since: Instant,
    staying: Duration,
    /// To be waited for before they queue.
    start: Option<Start>,
    shouts: watch::Receiver<()>,
}

/// Lives one life; queues with the others of a crowd, if there is one.
pub(crate) async fn live(world: Arc<World>, mut rng: Rng, start: Option<Start>) {
    let gateway = rng.usize(..world.gateways.len());
    let Ok(Ok(person)) = timeout(PATIENCE, Person::arrive(&world.gateways[gateway])).await else {
        // That gateway is away; the next life tries another one.
        return sleep(Duration::from_millis(300)).await;
    };
    // Some stay for so long that a room whose other half is gone has to end by itself.
    let staying =
        Duration::from_millis(if rng.u32(..6) == 0 { rng.u64(45_000..70_000) } else { rng.u64(4_000..20_000) });
    let shouts = world.shouts();
    let mut life = Life {
        world,
        rng,
        person,
        line: None,
        stage: Stage::Idle,
        seen: 0,
        room: None,
        drafts: BTreeMap::new(),
        said: 0,
        sending: JoinSet::new(),
        heard: None,
        since: Instant::now(),
        staying,
        start,
        shouts,
    };
    life.live_on().await;
}

impl Life {
    async fn live_on(&mut self) {
        while self.stage != Stage::Over {
            if self.line.is_none() && !self.come_back().await {
                return self.note(Event::Vanished);
            }
            if self.stage == Stage::Idle {
                self.queue().await;
                continue;
            }
            self.next_moment().await;
        }
        self.cut(true);
    }

    /// Whatever happens next: an event, an answer, or their own idea.
    async fn next_moment(&mut self) {
        let Some(socket) = self.line.as_ref().map(|line| line.socket.clone()) else { return };
        let pause = if self.stage == Stage::Room { self.rng.u64(100..900) } else { self.rng.u64(500..2_000) };
        let idea = Instant::now() + Duration::from_millis(pause);
        tokio::select! {
            event = socket.next_within(Duration::from_secs(3600)) => {
                drop(socket);
                match event {
                    Ok(Some(event)) => self.hear(&event.name, &event.data),
                    Ok(None) => {}
                    Err(_gone) => {
                        self.cut(false);
                        // Somebody gives up when it breaks off, so that those who never come back are
                        // those whom a fault cut off, too.
                        if self.rng.u32(..6) == 0 {
                            self.vanish();
                        }
                    }
                }
            }
            Some(Ok(answer)) = self.sending.join_next() => self.answered(answer).await,
            Ok(()) = self.shouts.changed() => { drop(socket); self.shout().await }
            () = sleep_until(idea) => { drop(socket); self.have_an_idea().await }
        }
    }

    async fn have_an_idea(&mut self) {
        if self.world.closing() {
            return self.go_home().await;
        }
        let chance = self.rng.u32(..1000);
        match self.stage {
            Stage::Waiting if self.since.elapsed() > LONGEST_WAIT => self.leave().await,
            Stage::Waiting => match chance {
                0..30 => self.lose_connection(300..6_000).await,
                30..40 => self.vanish(),
                40..45 => self.leave().await,
                _ => {}
            },
            Stage::Room if self.since.elapsed() > self.staying => match chance {
                0..150 => self.vanish(),
                _ => self.leave().await,
            },
            Stage::Room => match chance {
                0..25 => self.lose_connection(100..9_000).await,
                25..30 => self.lose_connection(33_000..38_000).await,
                30..130 => self.like(),
                _ => self.say_something().await,
            },
            Stage::Idle | Stage::Over => {}
        }
    }

    /// At the end of the run most leave, and some just close the page.
    async fn go_home(&mut self) {
        if self.rng.u32(..4) == 0 { self.vanish() } else { self.leave().await }
    }

    fn vanish(&mut self) {
        self.cut(true);
        self.note(Event::Vanished);
        self.stage = Stage::Over;
    }

    async fn leave(&mut self) {
        self.note(Event::Leaving);
        if self.ask("leave_room", Value::Null).await.is_some_and(|answer| answer["success"] == true) {
            self.note(Event::Left);
            self.stage = Stage::Over;
        }
    }

    async fn queue(&mut self) {
        if self.world.closing() {
            self.stage = Stage::Over;
            return;
        }
        if let Some(start) = self.start.take() {
            start.line_up().await;
        }
        let queue = ["vent", "listen", "talk"][self.rng.usize(..3)];
        let Some(answer) = self.ask("request_queue", json!({"queue": queue})).await else { return };
        let code = answer["code"].as_str().unwrap_or_default();
        if answer["success"] == true || code == "already_waiting" || code == "in_room" {
            self.note(Event::Queued { queue: queue.to_owned() });
            (self.stage, self.since) = (Stage::Waiting, Instant::now());
            // Whom a partner could be found for who is not there any more.
            return match self.rng.u32(..20) {
                0 => self.lose_connection(3_000..9_000).await,
                1 => self.vanish(),
                _ => {}
            };
        }
        sleep(Duration::from_millis(500)).await;
    }

    /// The answer; a connection on which none comes is given up.
    async fn ask(&mut self, event: &str, data: Value) -> Option<Value> {
        let socket = self.line.as_ref()?.socket.clone();
        let answer = timeout(PATIENCE, socket.request(event, data)).await;
        drop(socket);
        match answer {
            Ok(Ok(answer)) => Some(answer),
            _gone => {
                self.cut(false);
                None
            }
        }
    }

    pub(crate) fn note(&self, what: Event) {
        self.world.history.note(&self.person.user, what);
    }

    /// Since when they are in this stage.
    pub(crate) fn enter(&mut self, stage: Stage) {
        if self.stage != stage {
            (self.stage, self.since) = (stage, Instant::now());
        }
    }
}
