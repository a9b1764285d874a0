//! Divides a batch into steps: as few as possible, with the order of every room kept.

use proto::{RoomCommand, RoomId};
use std::collections::HashMap;

/// A command with its sequence in the stream.
#[derive(Clone, Copy, Debug)]
pub struct Sequenced<'a> {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// The command.
    pub command: &'a RoomCommand,
}

/// Commands that may be applied together, as indexes into their batch. No room has two kinds of command in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Messages to store.
    pub(crate) sent: Vec<usize>,
    /// Likes.
    pub(crate) liked: Vec<usize>,
    /// Rooms to erase.
    pub(crate) ended: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sent,
    Liked,
    Ended,
}

/// The next command of a room goes into the step of its last one if it is of the same kind, else into the step after:
/// order matters only within a room.
pub(crate) fn steps<'a>(commands: impl IntoIterator<Item = &'a RoomCommand>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut last: HashMap<RoomId, (usize, Kind)> = HashMap::new();
    for (index, command) in commands.into_iter().enumerate() {
        let kind = kind(command);
        let step = match last.get(&command.room()) {
            None => 0,
            Some((step, same)) if *same == kind => *step,
            Some((step, _)) => step + 1,
        };
        last.insert(command.room(), (step, kind));
        if steps.len() <= step {
            steps.push(Step::default());
        }
        match kind {
            Kind::Sent => steps[step].sent.push(index),
            Kind::Liked => steps[step].liked.push(index),
            Kind::Ended => steps[step].ended.push(index),
        }
    }
    steps
}

fn kind(command: &RoomCommand) -> Kind {
    match command {
        RoomCommand::MessageSent { .. } => Kind::Sent,
        RoomCommand::MessageLiked { .. } => Kind::Liked,
        RoomCommand::RoomEnded { .. } => Kind::Ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proto::{MessageId, UserId};

    fn command(room: RoomId, kind: u8) -> RoomCommand {
        let user = UserId::new();
        match kind {
            0 => RoomCommand::MessageSent { room, author: user, nonce: String::new(), content: String::new() },
            1 => RoomCommand::MessageLiked { room, user, message: MessageId::new() },
            _ => RoomCommand::RoomEnded { room },
        }
    }

    fn indexes(step: &Step) -> [&Vec<usize>; 3] {
        [&step.sent, &step.liked, &step.ended]
    }

    #[test]
    fn many_rooms_take_as_few_steps_as_the_busiest_of_them() {
        let (a, b) = (RoomId::new(), RoomId::new());
        let batch = [(a, 0), (b, 0), (b, 1), (a, 0), (b, 0), (b, 2)].map(|(room, kind)| command(room, kind));
        let expected = [
            Step { sent: vec![0, 1, 3], ..Step::default() },
            Step { liked: vec![2], ..Step::default() },
            Step { sent: vec![4], ..Step::default() },
            Step { ended: vec![5], ..Step::default() },
        ];
        assert_eq!(steps(&batch), expected);
    }

    proptest! {
        #[test]
        fn every_command_is_in_one_step_and_a_room_keeps_its_order(
            picks in prop::collection::vec((0_usize..4, 0_u8..3), 0..60),
        ) {
            let rooms = [(); 4].map(|()| RoomId::new());
            let batch: Vec<_> = picks.iter().map(|(room, kind)| command(rooms[*room], *kind)).collect();
            let steps = steps(&batch);
            let mut all: Vec<usize> = steps.iter().flat_map(indexes).flatten().copied().collect();
            for room in rooms {
                let of_room = |index: &&usize| batch[**index].room() == room;
                // Within a step a room has one kind, so that this is the order of application.
                let applied: Vec<_> = steps.iter().flat_map(indexes).flatten().filter(of_room).collect();
                prop_assert!(applied.is_sorted());
                for step in &steps {
                    prop_assert!(indexes(step).iter().filter(|kind| kind.iter().any(|index| of_room(&index))).count() <= 1);
                }
            }
            all.sort_unstable();
            prop_assert_eq!(all, (0..batch.len()).collect::<Vec<_>>());
        }
    }
}
