//! A user as the checker knows them: what they recorded, their connections, attempts and goodbyes.

use std::collections::{BTreeMap, HashMap};

use super::disturbance::Part;
use crate::history::{Entry, Event, Ms};

/// A gateway notices after so long that a connection is dead whose packets are dropped: at the earliest when it had just
/// sent a ping, after `PING_TIMEOUT`, and at the latest `PING_INTERVAL` later. The noise of the machine is in the first.
const FIRST_NOTICED: Ms = 14_000;
const LAST_NOTICED: Ms = 25_000;

/// One connection of a user.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) number: u32,
    pub(crate) gateway: usize,
    /// When the client started to connect: since then the matcher may regard the user as connected.
    pub(crate) connecting: Ms,
    /// When the client knew that it is open.
    pub(crate) from: Ms,
    /// When it was closed, or its packets were dropped from.
    pub(crate) to: Ms,
    /// Its packets were dropped: nobody closed it.
    pub(crate) silent: bool,
    /// The gateway closed it.
    pub(crate) by_gateway: bool,
    /// When a newer one was open, which it cannot outlive as the matcher sees it.
    newer: Option<Ms>,
    /// The state in `resumed`.
    pub(crate) state: String,
    pub(crate) last_seq: Option<u64>,
}

impl Connection {
    /// What has to work for this connection, beside the servers and what the rule names.
    pub(crate) fn part(&self) -> Part {
        Part::Gateway(self.gateway)
    }

    /// When it is closed for the matcher at the latest, even if its packets are dropped.
    pub(crate) fn noticed(&self) -> Ms {
        self.dead_at(LAST_NOTICED).min(self.newer.map_or(Ms::MAX, |newer| newer.max(self.to)))
    }

    /// The same at the earliest.
    pub(crate) fn first_noticed(&self) -> Ms {
        self.noticed().min(self.dead_at(FIRST_NOTICED))
    }

    /// When its gateway finds out that it is dead, whether a newer one is open or not.
    pub(crate) fn found_dead(&self) -> Ms {
        self.dead_at(LAST_NOTICED)
    }

    fn dead_at(&self, silence: Ms) -> Ms {
        if self.silent { self.to + silence } else { self.to }
    }
}

/// A goodbye that the gateway received: acknowledged, or of a legacy client, which gets no acknowledgement.
#[derive(Clone, Debug)]
pub(crate) struct Goodbye {
    pub(crate) at: Ms,
    /// The user may queue again since then.
    pub(crate) until: Ms,
    pub(crate) acknowledged: bool,
    pub(crate) gateway: Part,
}

/// A user.
#[derive(Debug, Default)]
pub(crate) struct User<'a> {
    pub(crate) entries: Vec<&'a Entry>,
    pub(crate) connections: Vec<Connection>,
    /// Attempts to connect that were given up, from then to then.
    pub(crate) failed: Vec<(Ms, Ms)>,
    pub(crate) goodbyes: Vec<Goodbye>,
    /// Has a legacy client.
    pub(crate) legacy: bool,
}

impl User<'_> {
    /// The newest connection that was attempted by this time.
    pub(crate) fn newest(&self, at: Ms) -> Option<&Connection> {
        self.connections.iter().rfind(|connection| connection.connecting <= at)
    }

    fn record(&mut self, at: Ms, event: &Event, connecting: Option<Ms>, end: Ms) {
        match event {
            Event::ConnectFailed => self.failed.push((connecting.unwrap_or(at), at)),
            Event::Connected { connection, gateway, state, last_seq, legacy, .. } => {
                self.legacy |= legacy;
                self.connections.iter_mut().for_each(|older| older.newer = older.newer.or(Some(at)));
                self.connections.push(Connection {
                    number: *connection,
                    gateway: *gateway,
                    connecting: connecting.unwrap_or(at),
                    from: at,
                    to: end,
                    silent: false,
                    by_gateway: false,
                    newer: None,
                    state: state.clone(),
                    last_seq: *last_seq,
                });
            }
            Event::Silenced { connection } => self.closed(*connection, at, |known| known.silent = true),
            Event::Replaced { connection } => self.closed(*connection, at, |known| known.by_gateway = true),
            Event::Disconnected { connection, by_client } => {
                self.closed(*connection, at, |known| known.by_gateway = !by_client);
            }
            Event::Left => {
                let gateway = self.newest(at).map_or(Part::Matcher, Connection::part);
                self.goodbyes.push(Goodbye { at, until: end, acknowledged: !self.legacy, gateway });
            }
            Event::QueueRequested => {
                let ended = self.goodbyes.iter_mut().filter(|goodbye| goodbye.until > at);
                ended.for_each(|goodbye| goodbye.until = at);
            }
            _ => {}
        }
    }

    fn closed(&mut self, number: u32, at: Ms, how: impl Fn(&mut Connection)) {
        if let Some(known) = self.connections.iter_mut().find(|known| known.number == number && known.to >= at) {
            known.to = at;
            how(known);
        }
    }
}

/// All users, put together from what they recorded until the end.
pub(crate) fn users(entries: &[Entry], end: Ms) -> BTreeMap<&str, User<'_>> {
    let mut users: BTreeMap<&str, User<'_>> = BTreeMap::new();
    let mut connecting: HashMap<&str, Ms> = HashMap::new();
    for entry in entries.iter().filter(|entry| !entry.what.is_of_system()) {
        let user = users.entry(&entry.who).or_default();
        user.entries.push(entry);
        let since = match &entry.what {
            Event::Connecting => {
                connecting.insert(&entry.who, entry.at);
                None
            }
            Event::ConnectFailed | Event::Connected { .. } => connecting.remove(entry.who.as_str()),
            _ => None,
        };
        user.record(entry.at, &entry.what, since, end);
    }
    for (user, from) in connecting {
        users.entry(user).or_default().failed.push((from, end));
    }
    users
}
