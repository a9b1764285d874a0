//! Users who wait, for whom, and for how long.

use crate::story::Story;
use chaos::history::Event;

#[test]
fn two_users_who_fit_and_wait_for_longer_than_a_round_are_seen() {
    for (queues, expected) in [(["vent", "listen"], 1), (["vent", "talk"], 0), (["talk", "talk"], 1)] {
        let mut story = Story::default();
        for ((who, connection), queue) in [("ann", 1), ("ben", 2)].into_iter().zip(queues) {
            story.connected(0, who, connection, "idle", None);
            story.at(10, who, Event::Queued { queue: queue.to_owned() });
            story.lost(8_000, who, connection);
        }
        let waits = story.violations().into_iter().filter(|promise| *promise == "nobody waits for ever");
        assert_eq!(waits.count(), expected, "{queues:?}");
    }
}

#[test]
fn two_users_who_wait_for_each_other_are_seen() {
    let mut story = Story::default();
    for (who, connection) in [("ann", 1), ("ben", 2)] {
        story.connected(0, who, connection, "idle", None);
        story.queued(10, who);
        story.lost(60_000, who, connection);
    }
    story.breaks("nobody waits for ever");
}

#[test]
fn a_user_who_is_passed_over_is_seen_unless_something_was_broken() {
    for (fault, expected) in [(None, 1), (Some("matcher-1"), 0)] {
        let mut story = Story::default();
        for (who, connection, at) in [("ann", 1, 10), ("ben", 2, 9_000), ("cleo", 3, 9_500)] {
            story.connected(0, who, connection, "idle", None);
            story.queued(at, who);
        }
        if let Some(target) = fault {
            story.fault(8_000, target);
            story.at(8_500, target, Event::FaultEnded);
        }
        story.opened(10_000, "r", [("ben", "talk"), ("cleo", "talk")]);
        for who in ["ben", "cleo"] {
            story.at(10_010, who, Event::Matched);
        }
        story.lost(20_000, "ann", 1);
        let passed_over = story.violations().into_iter().filter(|promise| *promise == "nobody waits for ever");
        assert_eq!(passed_over.count(), expected, "{fault:?}");
    }
}

#[test]
fn the_place_of_an_earlier_room_is_none_in_the_next() {
    let mut story = Story::default();
    story.connected(0, "ann", 1, "idle", None);
    story.queued(10, "ann");
    story.at(20, "ann", Event::Matched);
    story.lost(100, "ann", 1);
    for (who, connection, at, queue) in
        [("ann", 4, 40_000, "listen"), ("ben", 2, 43_000, "talk"), ("cleo", 3, 45_500, "talk")]
    {
        story.connected(at - 10, who, connection, "over", None);
        story.at(at, who, Event::Queued { queue: queue.to_owned() });
    }
    story.opened(46_000, "r", [("ben", "talk"), ("cleo", "talk")]);
    story.lost(47_500, "ann", 4);
    assert_eq!(story.times_broken("nobody waits for ever"), 0);
}

#[test]
fn a_user_in_vent_whose_turn_a_later_one_got_is_seen_unless_one_who_posted_was_held_back() {
    for (unsettled, expected) in [(false, 1), (true, 0)] {
        let mut story = Story::default();
        for (who, connection, at, queue) in
            [("ann", 1, 10, "vent"), ("ben", 2, 5_000, "vent"), ("cleo", 3, 5_500, "listen")]
        {
            story.connected(0, who, connection, "idle", None);
            story.at(at, who, Event::Queued { queue: queue.to_owned() });
        }
        if unsettled {
            let (state, room) = (String::new(), None);
            story.at(
                0,
                "dora",
                Event::Connected { connection: 4, gateway: 0, state, room, last_seq: None, legacy: true },
            );
            story.at(5_700, "dora", Event::Queued { queue: "listen".to_owned() });
            story.lost(8_000, "dora", 4);
        }
        story.opened(6_000, "r", [("ben", "vent"), ("cleo", "listen")]);
        for (who, connection) in [("ben", 2), ("cleo", 3)] {
            story.at(6_010, who, Event::Matched);
            story.lost(6_500, who, connection);
        }
        story.lost(8_000, "ann", 1);
        let passed_over = story.violations().into_iter().filter(|promise| *promise == "nobody waits for ever");
        assert_eq!(passed_over.count(), expected, "unsettled: {unsettled}");
    }
}
