//! One simulated user with one of the two legacy clients, as far as they differ from a current one: the secret as the
//! only argument, messages by REST, no report of what was received. After a lost connection the React client sends
//! `register_sid` again; the Angular client sends nothing any more, and receives nothing.

mod outbox;
mod page;

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use person::Person;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::{outbox::Kind, page::LegacyPage};
use super::{
    habits::{self, AtMatch, Exit, Visit},
    world::{PATIENCE, RETRY, Start, World},
};
use crate::history::Event;

/// How long a user waits, or looks at a page on which nothing happens.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long a user whose partner is disconnected waits for the return.
const ALONE: Duration = Duration::from_secs(8);
/// For how long React tries to come back.
const COMING_BACK: Duration = Duration::from_secs(40);

struct LegacyClient {
    world: Arc<World>,
    rng: Rng,
    kind: Kind,
    page: LegacyPage,
    at_match: AtMatch,
    in_room: bool,
    /// Since when the partner is disconnected.
    alone: Option<Instant>,
    leaves_at: Instant,
}

/// Runs one user to the end; queues with the others of a crowd, if there is one.
pub(crate) async fn live(world: Arc<World>, mut rng: Rng, visit: Visit, start: Option<Start>) {
    let gateway = rng.usize(..world.gateways());
    let kind = [Kind::Angular, Kind::React][rng.usize(..2)];
    if let Some(start) = start {
        start.line_up().await;
    }
    let arriving = async {
        match kind {
            Kind::Angular => Person::arrive(world.url(gateway)).await,
            Kind::React => Person::arrive_in_talk(world.url(gateway)).await,
        }
    };
    let Ok(Ok(person)) = timeout(PATIENCE, arriving).await else {
        return sleep(Duration::from_millis(300)).await;
    };
    let at_match = visit.at_match(&mut rng, exits(kind));
    let page = LegacyPage::new(world.clone(), kind, person, gateway);
    let leaves_at = Instant::now() + LONGEST_WAIT;
    let mut client = LegacyClient { world, rng, kind, page, at_match, in_room: false, alone: None, leaves_at };
    if client.come().await {
        while client.next_moment().await {}
    }
    client.page.close(true);
    client.page.note(Event::Vanished);
}

/// How a user goes at the moment of the match, one as likely as another.
fn exits(kind: Kind) -> &'static [Exit] {
    match kind {
        Kind::Angular => &[Exit::LeaveRoom, Exit::LeaveRoom, Exit::Disconnect, Exit::CloseTab],
        Kind::React => &[Exit::Disconnect, Exit::Disconnect, Exit::CloseTab],
    }
}

impl LegacyClient {
    /// The page is open and waits in a queue; false when that failed. A React user waits before it connects.
    async fn come(&mut self) -> bool {
        if self.kind == Kind::React {
            self.page.note(Event::QueueRequested);
            self.page.note(Event::Queued { queue: "talk".to_owned() });
            return self.page.connect().await;
        }
        self.page.connect().await && self.page.queue(habits::queue(&mut self.rng)).await
    }

    /// Whatever happens next; false when the page is closed.
    async fn next_moment(&mut self) -> bool {
        let socket = self.page.socket();
        let idea = Instant::now() + Duration::from_millis(self.rng.u64(200..1_200));
        let event = async {
            match &socket {
                Some(socket) => socket.next_within(Duration::from_secs(3600)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = event => match event {
                Ok(Some(event)) => {
                    let name = self.page.receive(event);
                    self.react(&name).await
                }
                Ok(None) => true,
                Err(_closed) => {
                    self.page.close(false);
                    self.come_back().await
                }
            },
            () = self.page.next_reply() => true,
            () = sleep_until(idea) => { drop(socket); self.have_an_idea().await }
        }
    }

    async fn react(&mut self, event: &str) -> bool {
        match event {
            "queue_complete" => return self.matched().await,
            "user_connected" => self.alone = None,
            "user_disconnected" => self.alone = Some(Instant::now()),
            _ => {}
        }
        true
    }

    async fn matched(&mut self) -> bool {
        if let AtMatch::Leave(exit) = self.at_match {
            return self.leave_by(exit).await;
        }
        if !self.in_room {
            let staying = Duration::from_millis(self.rng.u64(4_000..15_000));
            (self.in_room, self.leaves_at) = (true, Instant::now() + staying);
        }
        self.page.join_room().await;
        true
    }

    /// React finds a gateway and registers again; Angular goes on, and does not know that it receives nothing.
    async fn come_back(&mut self) -> bool {
        if self.kind == Kind::Angular {
            self.leaves_at = self.leaves_at.min(Instant::now() + Duration::from_secs(5));
            self.page.next_gateway();
            return true;
        }
        let deadline = Instant::now() + COMING_BACK;
        while Instant::now() < deadline {
            sleep(Duration::from_millis(self.rng.u64(100..1_500))).await;
            self.page.next_gateway();
            if self.page.connect().await {
                return true;
            }
        }
        false
    }

    async fn have_an_idea(&mut self) -> bool {
        let given_up = self.alone.is_some_and(|since| since.elapsed() > ALONE);
        if self.world.is_closing() || given_up || Instant::now() > self.leaves_at {
            let exits = exits(self.kind);
            let exit = exits[self.rng.usize(..exits.len())];
            return self.leave_by(exit).await;
        }
        match self.rng.u32(..1000) {
            0..20 => self.page.close(true),
            20..28 => return false,
            28..36 => self.page.silence(),
            _ if self.in_room => {
                self.page.send_message();
                return true;
            }
            _ => return true,
        }
        self.come_back().await
    }

    /// False when the page is closed; Angular may queue again with the same secret.
    async fn leave_by(&mut self, exit: Exit) -> bool {
        if exit == Exit::CloseTab || !self.page.say_goodbye(exit).await {
            return false;
        }
        if exit == Exit::LeaveRoom && !self.world.is_closing() && self.rng.bool() {
            self.in_room = false;
            (self.alone, self.leaves_at) = (None, Instant::now() + LONGEST_WAIT);
            self.at_match = Visit::Usual.at_match(&mut self.rng, exits(self.kind));
            // The page shows its start for a moment, so that the two requests do not overtake each other.
            sleep(RETRY).await;
            return self.page.queue(habits::queue(&mut self.rng)).await;
        }
        // The page stays open for a moment.
        sleep(Duration::from_millis(300)).await;
        false
    }
}
