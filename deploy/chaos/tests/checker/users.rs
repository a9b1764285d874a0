//! Users who wait, are gone, and are left alone.

use crate::story::{Story, register};
use chaos::history::{Event, Ms};

#[test]
fn a_ghost_that_was_matched_is_seen() {
    let mut story = Story::default();
    story.connected(0, "ann", 1, "idle", None);
    story.connected(0, "ben", 2, "idle", None);
    story.queued(10, "ann");
    story.lost(100, "ann", 1);
    story.queued(3_000, "ben");
    story.opened(3_010, "r", [("ann", "talk"), ("ben", "talk")]);
    story.breaks("no ghost matched");
}

/// Ann waited, was gone for long, and tries to come back, which takes 7 s and fails. MongoDB saw it, or did not.
fn connecting_again(seen: bool, opened: Ms) -> usize {
    let mut story = Story::default();
    story.connected(0, "ann", 1, "idle", None);
    story.connected(0, "ben", 2, "idle", None);
    story.queued(10, "ann");
    story.lost(100, "ann", 1);
    story.at(4_900, "ann", Event::Connecting);
    if seen {
        story.fact(4_950, register("ann", true));
    }
    story.opened(opened, "r", [("ann", "talk"), ("ben", "talk")]);
    story.at(11_900, "ann", Event::ConnectFailed);
    story.violations().into_iter().filter(|promise| *promise == "no ghost matched").count()
}

#[test]
fn a_user_who_is_connecting_is_no_ghost_while_mongodb_has_the_register_open() {
    assert_eq!(connecting_again(true, 5_000), 0);
    assert_eq!(connecting_again(false, 5_000), 1);
    assert_eq!(connecting_again(true, 14_500), 1);
}

#[test]
fn a_user_whom_mongodb_has_as_disconnected_is_a_ghost_after_half_a_second() {
    for (opened, back, expected) in [(900, None, 1), (400, None, 0), (900, Some(880), 0)] {
        let mut story = Story::default();
        story.connected(0, "ann", 1, "idle", None);
        story.connected(0, "ben", 2, "idle", None);
        story.lost(100, "ann", 1);
        story.fact(110, register("ann", false));
        if let Some(back) = back {
            story.fact(back, register("ann", true));
        }
        story.opened(opened, "r", [("ann", "talk"), ("ben", "talk")]);
        let ghosts = story.violations().into_iter().filter(|promise| *promise == "no ghost matched");
        assert_eq!(ghosts.count(), expected, "after {opened} ms, back: {back:?}");
    }
}

#[test]
fn the_death_of_another_gateway_or_of_a_chat_store_excuses_no_ghost() {
    for (target, expected) in [("gateway-1", 0), ("gateway-2", 1), ("chat-store-1", 1)] {
        let mut story = Story::default();
        story.connected(0, "ann", 1, "idle", None);
        story.connected(0, "ben", 2, "idle", None);
        story.queued(10, "ann");
        story.fault(90, target);
        story.lost(100, "ann", 1);
        story.at(200, target, Event::FaultEnded);
        story.opened(9_000, "r", [("ann", "talk"), ("ben", "talk")]);
        let ghosts = story.violations().into_iter().filter(|promise| *promise == "no ghost matched");
        assert_eq!(ghosts.count(), expected, "{target}");
    }
}

#[test]
fn the_ghost_of_a_killed_gateway_may_be_matched_for_15_s_and_not_longer() {
    for (waited, expected) in [(15_000, 0), (15_200, 1)] {
        let mut story = Story::default();
        story.connected(0, "ann", 1, "idle", None);
        story.connected(0, "ben", 2, "idle", None);
        story.queued(10, "ann");
        story.fault(90, "gateway-1");
        story.lost(100, "ann", 1);
        story.at(200, "gateway-1", Event::FaultEnded);
        story.opened(waited, "r", [("ann", "talk"), ("ben", "talk")]);
        let ghosts = story.violations().into_iter().filter(|promise| *promise == "no ghost matched");
        assert_eq!(ghosts.count(), expected, "after {waited} ms");
    }
}

/// Ann is gone; MongoDB is away for 70 s, and NATS after that; then the room is closed.
fn gone_while_servers_are_down(closed: Ms) -> Story {
    let mut story = Story::met();
    story.lost(1_000, "ann", 1);
    for (at, target) in [(20_000, "mongodb"), (90_000, "nats")] {
        story.fault(at, target);
        story.at(at + 70_000, target, Event::FaultEnded);
    }
    story.closed(closed, "r");
    story.at(closed + 10, "ben", Event::RoomEnded);
    story.lost(200_000, "ben", 2);
    story
}

#[test]
fn a_room_may_outlast_servers_that_are_down_and_a_minute_of_recoveries_and_no_more() {
    for (closed, expected) in [(180_000, 0), (192_000, 1)] {
        let story = gone_while_servers_are_down(closed);
        let left = story.violations().into_iter().filter(|promise| *promise == "nobody left alone");
        assert_eq!(left.count(), expected, "closed after {closed} ms");
    }
}

#[test]
fn an_attempt_that_was_given_up_counts_from_when_mongodb_had_it() {
    let mut story = gone_while_servers_are_down(192_000);
    story.at(30_000, "ann", Event::Connecting);
    story.at(37_000, "ann", Event::ConnectFailed);
    story.fact(161_000, register("ann", true));
    assert!(!story.violations().contains(&"nobody left alone"));
}

#[test]
fn a_user_who_is_left_in_the_room_of_a_partner_who_is_gone_is_seen() {
    let mut story = Story::met();
    story.lost(1_000, "ann", 1);
    story.lost(90_000, "ben", 2);
    story.breaks("nobody left alone");
}

#[test]
fn a_room_that_was_dissolved_before_anybody_was_notified_leaves_nobody_alone() {
    let mut story = Story::default();
    story.connected(0, "ann", 1, "idle", None);
    story.connected(0, "ben", 2, "idle", None);
    story.queued(10, "ann");
    story.lost(15, "ben", 2);
    story.opened(20, "r", [("ann", "talk"), ("ben", "talk")]);
    let mut notified = story.clone();
    story.closed(40, "r");
    story.lost(9_000, "ann", 1);
    assert_eq!(story.violations(), Vec::<&str>::new());
    notified.at(30, "ann", Event::Matched);
    notified.closed(400, "r");
    notified.lost(9_000, "ann", 1);
    notified.breaks("nobody left alone");
}

#[test]
fn a_partner_who_connects_has_been_away_until_mongodb_has_it() {
    for (noted, expected) in [(36_000, 0), (34_000, 1)] {
        let mut story = Story::met();
        story.sent(100, 1);
        story.lost(1_000, "ann", 1);
        story.lost(20_000, "ben", 2);
        story.at(33_000, "ann", Event::Connecting);
        story.fact(noted, register("ann", true));
        story.closed(35_000, "r");
        story.at(40_000, "ann", Event::ConnectFailed);
        story.connected(36_500, "ben", 3, "over", Some(1));
        let back = story.violations().into_iter().filter(|promise| *promise == "back in the room");
        assert_eq!(back.count(), expected, "noted at {noted} ms");
    }
}
