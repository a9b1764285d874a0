//! A model of clients, gateways and the bus around the real decisions: arbitrary sequences of connections, losses,
//! lapsed leases, queueing, matches, leaves and erasures, with commands lost, duplicated, reordered and replayed after an
//! hour, and gateways whose clocks are 5 s apart. `matcher/README.md` says which rule each property fails without.
//!
//! One combination is not promised: that the newest connection wins when clocks are apart by more than the time between
//! two connections *and* the older one's command is late, lost or replayed. Then one of them wins, and it is a live one.

use crate::domain::{
    leases::Lapses,
    ms,
    placement::{QueueRequest, Release, State},
    presence::{Close, Presence},
    tests::{NOW, TIMEOUTS},
    user::User,
};
use proptest::prelude::*;
use proto::{ConnectionStamp, ConnectionState, GatewayId, Queue, Register, RoomId, UserId, presence::Verdict, timing};
use std::{collections::BTreeMap, time::Duration};

/// How far the clocks of the three gateways are from the true time, in a run with skew.
const SKEWS_MS: [i64; 3] = [0, 5_000, -5_000];

#[derive(Clone, Debug, PartialEq)]
enum Command {
    Connected(ConnectionStamp),
    Disconnected(ConnectionStamp, ConnectionState),
    Queue(u64),
    Left(u64),
}

/// What happens next. An index picks among what there is.
#[derive(Clone, Debug)]
enum Event {
    /// Longer after the last one than [`timing::FRESH_CLAIM`]: which of two is newer is not defined within that time, unless
    /// one gateway serves both.
    Open(usize),
    OpenAnotherTabAtOnce,
    CloseNewest(bool),
    DropSilently,
    Queue,
    GiveUp,
    Leave,
    Deliver(prop::sample::Index),
    Duplicate(prop::sample::Index),
    Lose(prop::sample::Index),
    Lapse(usize),
    Return(usize),
    Match,
    EndRoom(bool),
    Sweep,
    Reconcile,
    Wait(u16),
    ReplayEverythingAfterAnHour,
}

/// A connection that a gateway serves.
#[derive(Clone, Debug)]
struct Served {
    stamp: ConnectionStamp,
    opened_at: i64,
    /// A reply has shown it as the newest.
    claimed: bool,
}

struct World {
    skewed: bool,
    /// Clocks are apart, and a connection's command was late, lost or replayed.
    any_may_win: bool,
    now: i64,
    user: User,
    served: Vec<Served>,
    /// The connection that the client opened last, while it is there.
    newest: Option<u64>,
    counter: u64,
    sequence: u64,
    awaited: Option<u64>,
    in_flight: Vec<Command>,
    published: Vec<Command>,
    lapsed: BTreeMap<usize, Duration>,
    /// The newest queue or leave command that took effect or should have.
    last_wish: Option<Command>,
}

fn gateway(n: usize) -> GatewayId {
    format!("gateway-{n}").parse().expect("an id")
}

impl World {
    fn new(skewed: bool) -> Self {
        Self {
            skewed,
            any_may_win: false,
            now: NOW,
            user: User::absent(UserId::new()),
            served: Vec::new(),
            newest: None,
            counter: 0,
            sequence: 0,
            awaited: None,
            in_flight: Vec::new(),
            published: Vec::new(),
            lapsed: BTreeMap::new(),
            last_wish: None,
        }
    }

    fn publish(&mut self, command: Command) {
        self.in_flight.push(command.clone());
        self.published.push(command);
    }

    fn lapses(&self) -> Lapses {
        let lapsed: Vec<(String, Duration)> =
            self.lapsed.iter().map(|(n, time)| (gateway(*n).to_string(), *time)).collect();
        Lapses::of(&lapsed.iter().map(|(name, time)| (name.as_str(), *time)).collect::<Vec<_>>())
    }

    fn happen(&mut self, event: &Event) {
        let disorder = matches!(event, Event::Duplicate(_) | Event::Lose(_) | Event::ReplayEverythingAfterAnHour);
        self.any_may_win |= self.skewed && disorder;
        match event {
            Event::Open(n) => {
                self.wait(ms(timing::FRESH_CLAIM));
                self.open(*n);
            }
            Event::OpenAnotherTabAtOnce => {
                if let Some(n) = self.served.last().and_then(|last| (0..3).find(|n| gateway(*n) == last.stamp.gateway))
                {
                    self.open(n);
                }
            }
            Event::CloseNewest(drained) => self.close_newest(*drained),
            // The gateway's task panicked: nothing is published.
            Event::DropSilently => {
                let newest = self.newest.take();
                self.served.retain(|served| Some(served.stamp.counter) != newest);
            }
            Event::Queue => {
                self.sequence += 1;
                self.awaited = Some(self.sequence);
                self.publish(Command::Queue(self.sequence));
            }
            Event::GiveUp => self.awaited = None,
            Event::Leave => {
                self.sequence += 1;
                self.publish(Command::Left(self.sequence));
            }
            Event::Deliver(index) if !self.in_flight.is_empty() => {
                let command = self.in_flight.remove(index.index(self.in_flight.len()));
                self.apply(&command);
            }
            Event::Duplicate(index) if !self.published.is_empty() => {
                let command = index.get(&self.published).clone();
                self.apply(&command);
            }
            Event::Lose(index) if !self.in_flight.is_empty() => {
                self.in_flight.remove(index.index(self.in_flight.len()));
            }
            Event::Deliver(_) | Event::Duplicate(_) | Event::Lose(_) => {}
            Event::Lapse(n) => drop(self.lapsed.insert(*n, Duration::ZERO)),
            Event::Return(n) => drop(self.lapsed.remove(n)),
            Event::Match => self.match_user(),
            Event::EndRoom(requeue) => self.end_room(*requeue),
            Event::Sweep => self.sweep(),
            Event::Reconcile => self.reconcile(),
            Event::Wait(ms) => self.wait(i64::from(*ms)),
            Event::ReplayEverythingAfterAnHour => self.replay_everything(),
        }
        self.check();
    }

    fn open(&mut self, n: usize) {
        self.counter += 1;
        let late = self.in_flight.iter().any(|command| matches!(command, Command::Connected(_)));
        self.any_may_win |= self.skewed && late;
        let opened_at_ms = self.now + if self.skewed { SKEWS_MS[n] } else { 0 };
        let stamp = ConnectionStamp { opened_at_ms, gateway: gateway(n), counter: self.counter };
        self.newest = Some(self.counter);
        self.served.push(Served { stamp: stamp.clone(), opened_at: self.now, claimed: false });
        self.publish(Command::Connected(stamp));
        self.wait(100);
    }

    fn close_newest(&mut self, drained: bool) {
        let Some(newest) = self.newest.take() else { return };
        let Some(at) = self.served.iter().position(|served| served.stamp.counter == newest) else { return };
        let state = if drained { ConnectionState::Drained } else { ConnectionState::Lost };
        let stamp = self.served.remove(at).stamp;
        self.publish(Command::Disconnected(stamp, state));
    }

    fn wait(&mut self, ms: i64) {
        self.now += ms;
        for lapsed in self.lapsed.values_mut() {
            *lapsed += Duration::from_millis(ms.unsigned_abs());
        }
    }

    /// The matcher applies a command, and the gateway acts on the reply.
    fn apply(&mut self, command: &Command) {
        let before = self.user.clone();
        match command {
            Command::Connected(stamp) => {
                self.user.connect(stamp);
                self.compare(stamp, true);
            }
            Command::Disconnected(stamp, state) => {
                let close = Close { stamp: stamp.clone(), state: *state, delivered_seq: 0, now: self.now };
                self.user.disconnect(&close);
            }
            Command::Queue(sequence) => {
                let request = QueueRequest {
                    sequence: *sequence,
                    queue: Queue::Talk,
                    queued_at: self.now,
                    ready_at: self.now,
                    now: self.now,
                };
                let awaited = self.awaited == Some(*sequence);
                let queued = awaited && self.user.request_queue(&request) == Ok(true);
                if queued && awaited {
                    self.last_wish = Some(command.clone());
                }
                self.awaited = self.awaited.filter(|awaited| awaited != sequence);
            }
            Command::Left(sequence) => {
                if self.user.leave(*sequence, self.now).is_ok() {
                    self.last_wish = Some(command.clone());
                }
            }
        }
        self.notify_superseded(&before);
    }

    /// What a gateway makes of a reply, a notification, or a resync: each of its connections compares itself with the
    /// register. Only a reply shows that a command was lost.
    fn compare(&mut self, stamp: &ConnectionStamp, replied: bool) {
        let Some(at) = self.served.iter().position(|served| &served.stamp == stamp) else { return };
        let served = &mut self.served[at];
        let fresh = !served.claimed && self.now - served.opened_at < ms(timing::FRESH_CLAIM);
        self.any_may_win |= self.skewed && !served.claimed && !fresh;
        match Verdict::of(&served.stamp, fresh, self.user.presence().connection()) {
            Verdict::Held => served.claimed = true,
            Verdict::Unknown if !replied => {}
            Verdict::Unknown => self.publish(Command::Connected(stamp.clone())),
            Verdict::Restamp { opened_at_ms } => {
                served.stamp.opened_at_ms = opened_at_ms;
                let again = Command::Connected(served.stamp.clone());
                self.publish(again);
            }
            Verdict::Superseded => {
                let closed = self.served.remove(at).stamp;
                self.publish(Command::Disconnected(closed, ConnectionState::Lost));
            }
        }
    }

    fn notify_superseded(&mut self, before: &User) {
        if Presence::superseding(before.presence(), self.user.presence()).is_some() {
            for served in self.served.clone().into_iter().filter(|served| served.claimed) {
                self.compare(&served.stamp, false);
            }
        }
    }

    fn is_offered(&self) -> bool {
        self.user.state() == State::Waiting && self.user.presence().is_connected(&self.lapses())
    }

    fn match_user(&mut self) {
        if self.is_offered() {
            self.user.pair(RoomId::new());
        }
    }

    fn end_room(&mut self, requeue: bool) {
        let Some(room) = self.user.room() else { return };
        self.user.release(room, if requeue { Release::Requeue } else { Release::Erase }, self.now);
        if !requeue {
            self.last_wish = None;
        }
    }

    fn sweep(&mut self) {
        let lapses = self.lapses();
        if self.user.remove_gone(&lapses, self.now, TIMEOUTS) {
            self.last_wish = None;
        }
        if self.user.is_gone(&lapses, self.now, TIMEOUTS) {
            self.end_room(false);
        }
        if self.user.state() == State::Gone && self.in_flight.is_empty() {
            self.user = User::absent(self.user.id());
            // What an older connection had as its stamp is forgotten with them.
            self.any_may_win |= self.skewed && !self.served.is_empty();
        }
    }

    /// The leader compares the register with what its gateway serves, and has sessions that it does not know resynced.
    fn reconcile(&mut self) {
        let register = self.user.presence().connection().cloned().filter(Register::is_open);
        if let Some(register) = &register
            && !self.served.iter().any(|served| served.stamp == register.stamp)
            && !self.lapsed.keys().any(|n| gateway(*n) == register.stamp.gateway)
        {
            self.apply(&Command::Disconnected(register.stamp.clone(), ConnectionState::Lost));
        }
        for served in self.served.clone() {
            if register.as_ref().is_none_or(|register| register.stamp != served.stamp) {
                self.compare(&served.stamp, true);
            }
        }
    }

    /// All NATS nodes were killed: what was acknowledged is delivered again, in another order, to users erased since.
    fn replay_everything(&mut self) {
        self.wait(3_600_000);
        self.awaited = None;
        for _ in 0..3 {
            self.sweep();
        }
        let mut all = self.published.clone();
        all.rotate_left(self.published.len() / 2);
        for command in all.iter().rev() {
            self.apply(command);
            self.check();
        }
    }

    /// What holds at every moment.
    fn check(&self) {
        if self.is_offered() {
            let register = self.user.presence().connection().expect("an open register");
            assert!(register.is_open(), "offered with a closed connection");
            assert!(!self.lapsed.keys().any(|n| gateway(*n) == register.stamp.gateway), "offered from a dead gateway");
        }
        let waits = self.user.state() == State::Waiting;
        assert!(!waits || !matches!(self.last_wish, Some(Command::Left(_))), "left, and waits");
        assert!(!waits || self.last_wish.is_some(), "waits, and has not asked for it");
    }

    /// Everything that is on its way arrives, the leader reconciles, and nothing else happens.
    fn settle(&mut self) {
        self.lapsed.clear();
        for _ in 0..6 {
            let mut applied = 0;
            while let Some(command) = self.in_flight.pop() {
                self.apply(&command);
                applied += 1;
                assert!(applied < 1_000, "connections overtake each other for ever");
            }
            self.reconcile();
            self.wait(ms(timing::FRESH_CLAIM));
        }
        self.check();
    }

    fn check_settled(&mut self) {
        let served: Vec<u64> = self.served.iter().map(|served| served.stamp.counter).collect();
        assert!(served.len() <= 1, "two connections are left: {served:?}");
        if let Some(newest) = self.newest.filter(|_| !self.any_may_win) {
            assert_eq!(served, [newest], "another connection than the newest is left");
        }
        let connection = self.user.presence().connection();
        if let [served] = served[..] {
            let register = connection.expect("a register");
            assert_eq!((register.stamp.counter, register.is_open()), (served, true), "a live connection is not known");
        } else {
            assert!(!connection.is_some_and(Register::is_open), "connected without a connection");
            self.wait(ms(timing::RESUME_WINDOW));
            self.sweep();
            self.sweep();
            assert_ne!(self.user.state(), State::Waiting, "a ghost waits");
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (0..3_usize).prop_map(Event::Open),
        1 => Just(Event::OpenAnotherTabAtOnce),
        2 => any::<bool>().prop_map(Event::CloseNewest),
        1 => Just(Event::DropSilently),
        3 => Just(Event::Queue),
        1 => Just(Event::GiveUp),
        2 => Just(Event::Leave),
        8 => index().prop_map(Event::Deliver),
        2 => index().prop_map(Event::Duplicate),
        1 => index().prop_map(Event::Lose),
        1 => (0..3_usize).prop_map(Event::Lapse),
        1 => (0..3_usize).prop_map(Event::Return),
        2 => Just(Event::Match),
        2 => any::<bool>().prop_map(Event::EndRoom),
        2 => Just(Event::Sweep),
        1 => Just(Event::Reconcile),
        2 => (0..8_000_u16).prop_map(Event::Wait),
        1 => Just(Event::ReplayEverythingAfterAnHour),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn the_newest_connection_wins_and_nobody_waits_as_a_ghost(
        skewed in any::<bool>(),
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut world = World::new(skewed);
        for event in &events {
            world.happen(event);
        }
        world.settle();
        world.check_settled();
    }
}
