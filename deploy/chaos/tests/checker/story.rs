//! Histories for the tests, event by event.

use chaos::{
    checker::{Coverage, Findings, check},
    history::{Entry, Event, Ms},
    observe::change::{Change, Fact},
};

/// A conversation of Ann and Ben in the room `r`, message by message.
#[derive(Clone, Default)]
pub(crate) struct Story {
    pub(crate) entries: Vec<Entry>,
    pub(crate) facts: Vec<Fact>,
}

impl Story {
    pub(crate) fn at(&mut self, at: Ms, who: &str, what: Event) {
        self.entries.push(Entry { at: 1_000_000 + at, who: who.to_owned(), what });
    }

    pub(crate) fn fact(&mut self, at: Ms, what: Change) {
        self.facts.push(Fact { at: 1_000_000 + at, what });
    }

    pub(crate) fn connected(&mut self, at: Ms, who: &str, connection: u32, state: &str, last_seq: Option<u64>) {
        self.at(
            at,
            who,
            Event::Connected { connection, gateway: 0, state: state.to_owned(), room: None, last_seq, legacy: false },
        );
    }

    /// The document of a user is written in this state, with an open register.
    pub(crate) fn state(&mut self, at: Ms, user: &str, state: &str) {
        let (user, state) = (user.to_owned(), Some(state.to_owned()));
        self.fact(at, Change::UserChanged { user, state, connected: Some(true) });
    }

    /// The packets of a connection are dropped.
    pub(crate) fn silenced(&mut self, at: Ms, who: &str, connection: u32) {
        self.at(at, who, Event::Silenced { connection });
    }

    /// How often this promise is broken.
    pub(crate) fn times_broken(&self, promise: &str) -> usize {
        self.violations().into_iter().filter(|broken| *broken == promise).count()
    }

    /// Something is broken from then on.
    pub(crate) fn fault(&mut self, at: Ms, target: &str) {
        self.at(at, target, Event::FaultStarted { target: target.to_owned() });
    }

    pub(crate) fn lost(&mut self, at: Ms, who: &str, connection: u32) {
        self.at(at, who, Event::Disconnected { connection, by_client: true });
    }

    pub(crate) fn queued(&mut self, at: Ms, who: &str) {
        self.at(at, who, Event::Queued { queue: "talk".to_owned() });
    }

    pub(crate) fn opened(&mut self, at: Ms, room: &str, members: [(&str, &str); 2]) {
        let members = members.map(|(user, queue)| (user.to_owned(), queue.to_owned())).to_vec();
        self.fact(at, Change::RoomOpened { room: room.to_owned(), members });
    }

    pub(crate) fn closed(&mut self, at: Ms, room: &str) {
        self.fact(at, Change::RoomClosed { room: room.to_owned() });
    }

    pub(crate) fn stored(&mut self, at: Ms, author: &str, seq: u64) {
        let (id, nonce) = (format!("id{seq}"), format!("nonce{seq}"));
        self.fact(at, Change::MessageStored { id, room: "r".to_owned(), author: author.to_owned(), nonce, seq });
    }

    pub(crate) fn erased(&mut self, at: Ms, seq: u64) {
        self.fact(at, Change::MessageErased { id: format!("id{seq}") });
    }

    pub(crate) fn acknowledged(&mut self, at: Ms, author: &str, number: u64, seq: u64) {
        let (nonce, room) = (format!("nonce{seq}"), "r".to_owned());
        self.at(at, author, Event::Acknowledged { nonce, number, room, seq, first: true });
    }

    pub(crate) fn received(&mut self, at: Ms, who: &str, connection: u32, author: &str, seq: u64) {
        let (author, nonce, room) = (author.to_owned(), format!("nonce{seq}"), "r".to_owned());
        self.at(at, who, Event::Received { connection, room, seq, author, nonce, replayed: false });
    }

    /// Both are in the room; Ann's connection is 1, Ben's is 2.
    pub(crate) fn met() -> Self {
        let mut story = Self::default();
        for (who, connection) in [("ann", 1), ("ben", 2)] {
            story.connected(0, who, connection, "idle", None);
            story.queued(10, who);
        }
        story.opened(20, "r", [("ann", "talk"), ("ben", "talk")]);
        story.fact(25, Change::RoomStarted { room: "r".to_owned() });
        story.at(30, "ann", Event::Matched);
        story.at(30, "ben", Event::Matched);
        story
    }

    /// Ann sends one, and Ben receives it.
    pub(crate) fn sent(&mut self, at: Ms, seq: u64) {
        self.stored(at, "ann", seq);
        self.acknowledged(at + 5, "ann", seq, seq);
        self.received(at + 5, "ben", 2, "ann", seq);
    }

    /// Ann leaves at this time, and all is erased.
    pub(crate) fn over(&mut self, at: Ms, messages: u64) {
        self.closed(at, "r");
        for seq in 1..=messages {
            self.erased(at + 100, seq);
        }
        self.at(at + 10, "ann", Event::Left);
        self.at(at + 10, "ben", Event::RoomEnded);
        self.lost(at + 20, "ann", 1);
        self.lost(at + 20, "ben", 2);
    }

    pub(crate) fn violations(&self) -> Vec<&'static str> {
        self.check().violations.into_iter().map(|violation| violation.promise).collect()
    }

    pub(crate) fn coverage(&self) -> Coverage {
        self.check().coverage
    }

    fn check(&self) -> Findings {
        let mut facts = self.facts.clone();
        facts.sort_by_key(|fact| fact.at);
        let mut entries = self.entries.clone();
        entries.sort_by_key(|entry| entry.at);
        check(&entries, &facts, &[])
    }

    #[track_caller]
    pub(crate) fn breaks(&self, promise: &str) {
        let violations = self.check().violations;
        let broken = violations.iter().find(|violation| violation.promise == promise);
        let broken = broken.unwrap_or_else(|| panic!("{promise} was not seen in {violations:?}"));
        assert!(!broken.around.is_empty(), "the events around it are shown");
    }
}

/// The register of a user is written, open or not.
pub(crate) fn register(user: &str, open: bool) -> Change {
    Change::UserChanged { user: user.to_owned(), state: None, connected: Some(open) }
}
