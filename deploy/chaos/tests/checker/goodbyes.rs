//! Users who have left are gone, whatever a room's end does with them.

use crate::story::Story;
use chaos::{
    history::{Event, Ms},
    observe::change::Change,
};

/// Ann and Ben are matched and both leave at once; what becomes of Ben in MongoDB is the test's.
fn both_left(legacy: bool) -> Story {
    let mut story = Story::default();
    for (who, connection) in [("ann", 1), ("ben", 2)] {
        let (state, room) = (String::new(), None);
        story.at(0, who, Event::Connected { connection, gateway: 0, state, room, last_seq: None, legacy });
        story.queued(10, who);
        story.state(9, who, "waiting");
    }
    story.opened(20, "r", [("ann", "talk"), ("ben", "talk")]);
    for who in ["ann", "ben"] {
        story.state(21, who, "paired");
        story.at(30, who, Event::Matched);
        story.at(31, who, Event::Leaving);
        story.at(35, who, Event::Left);
    }
    story.closed(36, "r");
    story.fact(40, Change::UserDeleted { user: "ann".to_owned() });
    story
}

#[test]
fn a_user_who_left_and_is_back_in_the_queue_is_seen_although_nobody_meets_them() {
    for legacy in [false, true] {
        let mut story = both_left(legacy);
        story.state(50, "ben", "waiting");
        story.lost(330, "ben", 2);
        story.at(9_000, "cleo", Event::Connecting);
        story.breaks("who left is gone");
    }
}

#[test]
fn a_goodbye_is_done_with_in_5_s_or_as_late_as_its_killed_gateway_is_noticed() {
    for (erased, gateway_killed, expected) in
        [(4_000, false, 0), (6_000, false, 1), (40_000, true, 0), (70_000, true, 1)]
    {
        let mut story = both_left(true);
        if gateway_killed {
            story.fault(34, "gateway-1");
            story.at(600, "gateway-1", Event::FaultEnded);
        }
        story.fact(erased, Change::UserDeleted { user: "ben".to_owned() });
        story.at(90_000, "cleo", Event::Connecting);
        let found = story.times_broken("who left is gone");
        assert_eq!(found, expected, "erased after {erased} ms, killed: {gateway_killed}");
    }
}

#[test]
fn a_user_who_left_and_is_matched_again_is_seen_unless_they_queued_again() {
    for (queued_again, expected) in [(false, 1), (true, 0)] {
        let mut story = both_left(false);
        story.fact(41, Change::UserDeleted { user: "ben".to_owned() });
        if queued_again {
            story.at(2_000, "ben", Event::QueueRequested);
            story.state(2_005, "ben", "waiting");
            story.queued(2_010, "ben");
        }
        story.connected(0, "cleo", 3, "idle", None);
        story.opened(3_000, "s", [("ben", "talk"), ("cleo", "talk")]);
        story.at(3_010, "cleo", Event::Matched);
        assert_eq!(story.times_broken("who left is gone"), expected, "queued again: {queued_again}");
    }
}

#[test]
fn nothing_excuses_that_a_user_whose_goodbye_was_acknowledged_waits_again() {
    let mut story = both_left(false);
    story.fault(1, "mongodb");
    story.at(20_000, "mongodb", Event::FaultEnded);
    story.fact(41, Change::UserDeleted { user: "ben".to_owned() });
    story.state(200, "ben", "waiting");
    story.fact(300, Change::UserDeleted { user: "ben".to_owned() });
    story.breaks("who left is gone");
}

#[test]
fn a_document_that_says_for_long_that_a_user_waits_who_is_gone_is_seen() {
    for (removed, expected) in [(33_000, 0), (36_000, 1)] {
        let mut story = Story::default();
        story.connected(0, "ann", 1, "idle", None);
        story.state(9, "ann", "waiting");
        story.queued(10, "ann");
        story.lost(1_000, "ann", 1);
        story.fact(removed as Ms, Change::UserDeleted { user: "ann".to_owned() });
        assert_eq!(story.times_broken("no ghost stays"), expected, "removed after {removed} ms");
    }
}

#[test]
fn an_event_that_was_lost_is_seen_unless_all_of_nats_was_killed() {
    for (fault, expected) in
        [(None, 1), (Some("kill-gateway"), 1), (Some("outage-mongodb"), 1), (Some("restart-nats"), 0)]
    {
        let mut story = Story::met();
        if let Some(fault) = fault {
            story.at(1_000, fault, Event::FaultStarted { target: "nats".to_owned() });
            story.at(2_000, fault, Event::FaultEnded);
        }
        story.at(30_000, "matcher-1", Event::OrphansRemoved { count: 1 });
        assert_eq!(story.times_broken("no event lost"), expected, "{fault:?}");
    }
}

#[test]
fn pairs_that_leave_at_the_moment_of_the_match_are_counted() {
    let coverage = both_left(true).coverage();
    assert_eq!(coverage.of("both leave at the match, legacy clients"), 1);
    assert_eq!(coverage.of("both leave at the match, in talk"), 1);
    assert_eq!(Story::met().coverage().of("one leaves at the match"), 0);
}
