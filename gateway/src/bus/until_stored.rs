//! Commands that must be stored although nobody waits for a reply: that a user left, that a connection is closed. They
//! are published again until the stream has them, by one task a user, which holds one command of a kind at most: what
//! an outage piles up is bounded by the users, not by what their clients repeat.

use parking_lot::Mutex;
use proto::{
    Command as _, CommandId, UserCommand, UserId,
    bus::{Bus, retry},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What is still to be stored, by user.
pub(crate) struct UntilStored {
    bus: Bus,
    tasks: TaskTracker,
    given_up: CancellationToken,
    users: Arc<Users>,
}

type Users = Mutex<HashMap<UserId, Unstored>>;

/// The commands of one user, in their order, at most one of a kind.
struct Unstored {
    commands: VecDeque<(CommandId, UserCommand)>,
    done: watch::Sender<bool>,
}

impl UntilStored {
    /// Nothing yet. The tasks run in `tasks`.
    pub(crate) fn new(bus: &Bus, tasks: TaskTracker) -> Self {
        Self { bus: bus.clone(), tasks, given_up: CancellationToken::new(), users: Arc::default() }
    }

    /// Stores a command after the others of its user. One of the same kind that is not stored yet is replaced: the
    /// newest connection that is closed counts, and one leaves once.
    pub(crate) fn store(&self, id: CommandId, command: UserCommand) {
        let user = command.user();
        let mut users = self.users.lock();
        let started = users.contains_key(&user);
        let unstored = users
            .entry(user)
            .or_insert_with(|| Unstored { commands: VecDeque::new(), done: watch::Sender::new(false) });
        unstored.push(id, command);
        drop(users);
        if !started {
            let storing = store_all(self.bus.clone(), self.users.clone(), user);
            self.tasks.spawn(self.given_up.clone().run_until_cancelled_owned(storing));
        }
    }

    /// Waits until everything of a user is stored.
    pub(crate) async fn stored(&self, user: UserId) {
        let done = self.users.lock().get(&user).map(|unstored| unstored.done.subscribe());
        if let Some(mut done) = done {
            // A sender that is dropped has stored everything, too.
            let _done = done.wait_for(|done| *done).await;
        }
    }

    /// Stops all attempts; true if there was nothing left.
    pub(crate) fn give_up(&self) -> bool {
        self.given_up.cancel();
        // Whoever waits for one of them waits no more.
        let left = std::mem::take(&mut *self.users.lock());
        left.is_empty()
    }
}

impl Unstored {
    fn push(&mut self, id: CommandId, command: UserCommand) {
        match self.commands.iter_mut().find(|(_, queued)| queued.name() == command.name()) {
            // The same again: whatever of it is stored, is stored once.
            Some((_, queued)) if *queued == command => {}
            Some(queued) => *queued = (id, command),
            None => self.commands.push_back((id, command)),
        }
    }

    /// The first one was stored, unless another has taken its place meanwhile.
    fn stored(&mut self, id: CommandId) {
        if self.commands.front().is_some_and(|(first, _)| *first == id) {
            self.commands.pop_front();
        }
    }
}

async fn store_all(bus: Bus, users: Arc<Users>, user: UserId) {
    while let Some((id, command)) = next(&users, user) {
        let attempt = || publish(&bus, id, &command);
        retry::until_ok(attempt, |error| tracing::debug!(%error, user.id = %user, "command not stored, retrying"))
            .await;
        if let Some(unstored) = users.lock().get_mut(&user) {
            unstored.stored(id);
        }
    }
}

/// The next command of a user; the entry of one who has none is removed.
fn next(users: &Users, user: UserId) -> Option<(CommandId, UserCommand)> {
    let mut users = users.lock();
    let next = users.get(&user)?.commands.front().cloned();
    if next.is_none()
        && let Some(unstored) = users.remove(&user)
    {
        unstored.done.send_replace(true);
    }
    next
}

async fn publish(bus: &Bus, id: CommandId, command: &UserCommand) -> anyhow::Result<()> {
    anyhow::ensure!(bus.is_connected(), "NATS unavailable");
    bus.publish_command(id, command, None).await?.await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::{ConnectionStamp, commands::DisconnectCause};

    fn disconnected(user: UserId, counter: u64) -> UserCommand {
        let stamp = ConnectionStamp { opened_at_ms: 1, gateway: "gateway-1".parse().expect("an id"), counter };
        UserCommand::Disconnected { user, stamp, delivered_seq: 0, cause: DisconnectCause::Lost }
    }

    #[test]
    fn a_user_has_one_command_of_a_kind_at_most_in_the_order_of_their_first() {
        let user = UserId::new();
        let mut unstored = Unstored { commands: VecDeque::new(), done: watch::Sender::new(false) };
        for counter in 1..100 {
            unstored.push(CommandId::new(), UserCommand::Left { user });
            unstored.push(CommandId::new(), disconnected(user, counter));
        }
        let commands: Vec<_> = unstored.commands.iter().map(|(_, command)| command.clone()).collect();
        assert_eq!(commands, [UserCommand::Left { user }, disconnected(user, 99)]);
    }

    #[test]
    fn the_same_command_again_keeps_its_id_so_that_it_is_stored_once() {
        let (user, first) = (UserId::new(), CommandId::new());
        let mut unstored = Unstored { commands: VecDeque::new(), done: watch::Sender::new(false) };
        unstored.push(first, UserCommand::Left { user });
        unstored.push(CommandId::new(), UserCommand::Left { user });
        unstored.stored(first);
        assert!(unstored.commands.is_empty());
    }

    #[test]
    fn what_took_the_place_of_a_command_while_that_was_published_is_still_to_be_stored() {
        let (user, first, second) = (UserId::new(), CommandId::new(), CommandId::new());
        let mut unstored = Unstored { commands: VecDeque::new(), done: watch::Sender::new(false) };
        unstored.push(first, disconnected(user, 1));
        unstored.push(second, disconnected(user, 2));
        unstored.stored(first);
        assert_eq!(unstored.commands.len(), 1);
        unstored.stored(second);
        assert!(unstored.commands.is_empty());
    }
}
