//! All interleavings of what both members do with the steps of a room's end: each actor below is a program of steps on
//! single documents, as the handlers and the sweep take them, and every order of their steps is tried.

use crate::domain::{
    pairing::Candidate,
    placement::{QueueRequest, State},
    room::{Cause, Closing, Room},
    tests::{NOW, stamp},
    user::User,
};
use proto::{Queue, UserId};
use std::collections::HashSet;

/// What somebody does with the room, one step at a time.
#[derive(Clone, Debug)]
enum Step {
    /// A member's leave, applied to their document; then the room is closed because of it.
    Leave(usize, u64),
    /// A member enters.
    Enter(usize),
    /// Reads the room and decides how it is to be closed.
    Close(Cause),
    /// Writes that decision, if the room is as it was read; else reads it again.
    MarkClosed(Cause, Box<Room>, Closing),
    /// Releases a member; the second one last.
    Release(usize, Box<Room>),
    /// Deletes the document.
    Delete,
    /// A member queues again, if the matcher takes it.
    Queue(usize, u64),
    Done,
}

#[derive(Clone, Debug)]
struct World {
    users: [User; 2],
    room: Option<Room>,
    actors: Vec<Step>,
    /// What each member did last, in the order in which they did it.
    last: [Option<&'static str>; 2],
}

fn paired() -> World {
    let mut users = [1, 2].map(|_| User::absent(UserId::new()));
    for (user, sequence) in users.iter_mut().zip(1..) {
        user.connect(&stamp(sequence));
        let request = QueueRequest { sequence, queue: Queue::Talk, queued_at: NOW, ready_at: NOW, now: NOW };
        user.request_queue(&request).expect("waits");
    }
    let candidate = |n: usize| Candidate { user: users[n].id(), ..Candidate::for_test(n as u64 + 1, Queue::Talk, NOW) };
    let room = Room::new(&[candidate(0), candidate(1)], NOW, std::time::Duration::from_secs(60));
    users.iter_mut().for_each(|user| user.pair(room.id()));
    World { users, room: Some(room), actors: Vec::new(), last: [None; 2] }
}

impl World {
    /// The next step of an actor, and what it goes on with.
    fn take(&mut self, actor: usize) {
        let step = std::mem::replace(&mut self.actors[actor], Step::Done);
        self.actors[actor] = match step {
            Step::Leave(member, sequence) => self.leave(member, sequence),
            Step::Enter(member) => {
                let user = self.users[member].id();
                self.room = self.room.take().map(|room| if room.is_open() { room.enter(user).room } else { room });
                Step::Done
            }
            Step::Close(cause) => self.decide(cause),
            Step::MarkClosed(cause, read, closing) => self.mark_closed(cause, *read, closing),
            Step::Release(member, room) => self.release(member, room),
            Step::Delete => {
                self.room = None;
                Step::Done
            }
            Step::Queue(member, sequence) => self.queue(member, sequence),
            Step::Done => Step::Done,
        };
    }

    fn leave(&mut self, member: usize, sequence: u64) -> Step {
        self.last[member] = Some("leave");
        let user = &mut self.users[member];
        user.leave(sequence, NOW).expect("the newest command");
        if user.room().is_some() { Step::Close(Cause::Left(user.id())) } else { Step::Done }
    }

    fn queue(&mut self, member: usize, sequence: u64) -> Step {
        let request = QueueRequest { sequence, queue: Queue::Vent, queued_at: NOW, ready_at: NOW, now: NOW };
        if self.users[member].request_queue(&request) == Ok(true) {
            self.last[member] = Some("queue");
        }
        Step::Done
    }

    fn decide(&self, cause: Cause) -> Step {
        match &self.room {
            None => Step::Done,
            Some(room) if !room.is_open() => Step::Release(0, Box::new(room.clone())),
            Some(room) => match room.closing(cause, NOW) {
                Some(closing) => Step::MarkClosed(cause, Box::new(room.clone()), closing),
                None => Step::Done,
            },
        }
    }

    fn mark_closed(&mut self, cause: Cause, read: Room, closing: Closing) -> Step {
        if self.room.as_ref() != Some(&read) {
            return Step::Close(cause);
        }
        let closed = read.closed(closing);
        self.room = Some(closed.clone());
        Step::Release(0, Box::new(closed))
    }

    fn release(&mut self, member: usize, room: Box<Room>) -> Step {
        let user = &mut self.users[member];
        let release = room.close_to_complete().expect("closed").release(user.id());
        user.release(room.id(), release, NOW);
        if member == 0 { Step::Release(1, room) } else { Step::Delete }
    }

    fn check(&self) {
        let open = self.room.as_ref().filter(|room| room.is_open());
        for (user, last) in self.users.iter().zip(self.last) {
            let state = user.state();
            match last {
                Some("leave") => assert!(matches!(state, State::Gone), "left, and is {state:?}: {self:#?}"),
                Some(_) => assert_eq!(state, State::Waiting, "queued again: {self:#?}"),
                None => assert!(state != State::Paired || open.is_some(), "in a closed room: {self:#?}"),
            }
        }
    }

    /// Every order in which the actors can take their steps, each state once.
    fn explore(self, seen: &mut HashSet<String>) {
        if !seen.insert(format!("{self:?}")) {
            return;
        }
        let busy: Vec<usize> = (0..self.actors.len()).filter(|n| !matches!(self.actors[*n], Step::Done)).collect();
        if busy.is_empty() {
            return self.check();
        }
        for actor in busy {
            let mut next = self.clone();
            next.take(actor);
            next.explore(seen);
        }
    }
}

fn explore(actors: impl Fn(&World) -> Vec<Step>) -> usize {
    let mut world = paired();
    world.actors = actors(&world);
    let mut seen = HashSet::new();
    world.explore(&mut seen);
    seen.len()
}

#[test]
fn whoever_left_is_gone_whatever_the_end_of_the_room_does_meanwhile() {
    let leaves = || vec![Step::Leave(0, 10), Step::Leave(1, 11)];
    let with = |more: Vec<Step>| explore(|_| leaves().into_iter().chain(more.clone()).collect());
    assert!(with(vec![]) > 20, "few orders were tried");
    with(vec![Step::Close(Cause::NotEntered)]);
    with(vec![Step::Close(Cause::Vanished)]);
    with(vec![Step::Enter(0), Step::Close(Cause::NotEntered)]);
    with(vec![Step::Enter(0), Step::Enter(1)]);
    explore(|world| {
        let gone = Step::Close(Cause::Gone(world.users[1].id()));
        vec![Step::Leave(0, 10), gone, Step::Enter(1)]
    });
}

#[test]
fn whoever_queued_again_waits_whatever_the_end_of_the_room_does_meanwhile() {
    explore(|_| vec![Step::Leave(0, 10), Step::Queue(0, 12), Step::Leave(1, 11)]);
    explore(|_| vec![Step::Leave(1, 10), Step::Queue(1, 13), Step::Close(Cause::Vanished)]);
}
