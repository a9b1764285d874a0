//! Who waits, is gone, comes back, and what the partner hears of it.

use crate::story::Story;
use chaos::{
    history::{Event, Ms},
    witness::Change,
};

#[test]
fn a_ghost_that_was_offered_is_seen() {
    let mut story = Story::default();
    story.connected(0, "ann", 1, "idle", None);
    story.connected(0, "ben", 2, "idle", None);
    story.queued(10, "ann");
    story.lost(100, "ann", 1);
    story.queued(3_000, "ben");
    story.opened(3_010, "r", [("ann", "talk"), ("ben", "talk")]);
    story.breaks("no ghost offered");
}

/// Ann waited, was gone for long, and tries to come back, which takes 7 s and fails. MongoDB saw it, or did not.
fn trying_to_come_back(seen: bool, opened: Ms) -> usize {
    let mut story = Story::default();
    story.connected(0, "ann", 1, "idle", None);
    story.connected(0, "ben", 2, "idle", None);
    story.queued(10, "ann");
    story.lost(100, "ann", 1);
    story.at(4_900, "ann", Event::Coming);
    if seen {
        story.fact(4_950, Change::Present { user: "ann".to_owned(), opened_at: 7 });
    }
    story.opened(opened, "r", [("ann", "talk"), ("ben", "talk")]);
    story.at(11_900, "ann", Event::Missed);
    story.violations().into_iter().filter(|invariant| *invariant == "no ghost offered").count()
}

#[test]
fn somebody_who_is_coming_back_is_no_ghost_as_long_as_the_matcher_has_reason_to_think_so() {
    assert_eq!(trying_to_come_back(true, 5_000), 0);
    assert_eq!(trying_to_come_back(false, 5_000), 1);
    assert_eq!(trying_to_come_back(true, 14_500), 1);
}

#[test]
fn somebody_whom_mongodb_has_as_gone_is_a_ghost_after_half_a_second() {
    for (opened, back, expected) in [(900, None, 1), (400, None, 0), (900, Some(880), 0)] {
        let mut story = Story::default();
        story.connected(0, "ann", 1, "idle", None);
        story.connected(0, "ben", 2, "idle", None);
        story.lost(100, "ann", 1);
        story.fact(110, Change::Absent { user: "ann".to_owned() });
        if let Some(back) = back {
            story.fact(back, Change::Present { user: "ann".to_owned(), opened_at: 7 });
        }
        story.opened(opened, "r", [("ann", "talk"), ("ben", "talk")]);
        let ghosts = story.violations().into_iter().filter(|invariant| *invariant == "no ghost offered");
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
        story.at(200, target, Event::FaultOver);
        story.opened(9_000, "r", [("ann", "talk"), ("ben", "talk")]);
        let ghosts = story.violations().into_iter().filter(|invariant| *invariant == "no ghost offered");
        assert_eq!(ghosts.count(), expected, "{target}");
    }
}

#[test]
fn the_ghost_of_a_killed_gateway_may_be_offered_for_15_s_and_not_longer() {
    for (waited, expected) in [(14_000, 0), (28_000, 1)] {
        let mut story = Story::default();
        story.connected(0, "ann", 1, "idle", None);
        story.connected(0, "ben", 2, "idle", None);
        story.queued(10, "ann");
        story.fault(90, "gateway-1");
        story.lost(100, "ann", 1);
        story.at(200, "gateway-1", Event::FaultOver);
        story.opened(waited, "r", [("ann", "talk"), ("ben", "talk")]);
        let ghosts = story.violations().into_iter().filter(|invariant| *invariant == "no ghost offered");
        assert_eq!(ghosts.count(), expected, "after {waited} ms");
    }
}

/// Ann is gone; MongoDB is away for 70 s, and NATS after that; then the room is closed.
fn gone_while_servers_are_away(closed: Ms) -> Story {
    let mut story = Story::met();
    story.lost(1_000, "ann", 1);
    for (at, target) in [(20_000, "mongodb"), (90_000, "nats")] {
        story.fault(at, target);
        story.at(at + 70_000, target, Event::FaultOver);
    }
    story.closed(closed, "r");
    story.at(closed + 10, "ben", Event::Ended);
    story.lost(200_000, "ben", 2);
    story
}

#[test]
fn a_room_may_outlast_servers_that_are_away_for_longer_than_anybody_is_patient_and_no_longer() {
    for (closed, expected) in [(180_000, 0), (192_000, 1)] {
        let story = gone_while_servers_are_away(closed);
        let left = story.violations().into_iter().filter(|invariant| *invariant == "nobody left alone");
        assert_eq!(left.count(), expected, "closed after {closed} ms");
    }
}

#[test]
fn an_attempt_that_was_given_up_counts_from_when_it_could_be_noted() {
    let mut story = gone_while_servers_are_away(192_000);
    story.at(30_000, "ann", Event::Coming);
    story.at(37_000, "ann", Event::Missed);
    story.fact(161_000, Change::Present { user: "ann".to_owned(), opened_at: 7 });
    assert!(!story.violations().contains(&"nobody left alone"));
}

#[test]
fn somebody_whose_partner_is_gone_and_who_is_left_in_the_room_is_seen() {
    let mut story = Story::met();
    story.lost(1_000, "ann", 1);
    story.lost(90_000, "ben", 2);
    story.breaks("nobody left alone");
}

#[test]
fn a_room_that_was_dissolved_before_anybody_heard_of_it_leaves_nobody_alone() {
    let mut story = Story::default();
    story.connected(0, "ann", 1, "idle", None);
    story.connected(0, "ben", 2, "idle", None);
    story.queued(10, "ann");
    story.lost(15, "ben", 2);
    story.opened(20, "r", [("ann", "talk"), ("ben", "talk")]);
    let mut told = story.clone();
    story.closed(40, "r");
    story.lost(9_000, "ann", 1);
    assert_eq!(story.violations(), Vec::<&str>::new());
    told.at(30, "ann", Event::Matched);
    told.closed(400, "r");
    told.lost(9_000, "ann", 1);
    told.breaks("nobody left alone");
}

#[test]
fn a_partner_who_tries_to_come_back_has_been_away_until_that_is_noted() {
    for (noted, expected) in [(36_000, 0), (34_000, 1)] {
        let mut story = Story::met();
        story.said(100, 1);
        story.lost(1_000, "ann", 1);
        story.lost(20_000, "ben", 2);
        story.at(33_000, "ann", Event::Coming);
        story.fact(noted, Change::Present { user: "ann".to_owned(), opened_at: 7 });
        story.closed(35_000, "r");
        story.at(40_000, "ann", Event::Missed);
        story.connected(36_500, "ben", 3, "over", Some(1));
        let back = story.violations().into_iter().filter(|invariant| *invariant == "back in the room");
        assert_eq!(back.count(), expected, "noted at {noted} ms");
    }
}

#[test]
fn a_conversation_that_ends_for_no_reason_is_seen() {
    for (away, left, expected) in [(0, false, 1), (0, true, 0), (20_000, false, 1), (30_000, false, 0)] {
        let mut story = Story::met();
        let end = 5_000 + away;
        if away > 0 {
            story.lost(5_000, "ann", 1);
        }
        if left {
            story.at(end - 5, "ann", Event::Leaving);
        }
        story.closed(end, "r");
        story.at(end + 5, "ben", Event::Ended);
        let ended = story.violations().into_iter().filter(|invariant| *invariant == "ends for a reason");
        assert_eq!(ended.count(), expected, "away for {away} ms, left: {left}");
    }
}

#[test]
fn somebody_who_is_back_in_time_and_not_in_the_room_is_seen() {
    for (away, left, expected) in [(20_000, false, 1), (20_000, true, 0), (32_000, false, 0)] {
        let mut story = Story::met();
        story.said(100, 1);
        story.lost(1_000, "ben", 2);
        if left {
            story.at(1_500, "ann", Event::Leaving);
        }
        story.closed(2_000, "r");
        story.connected(1_000 + away, "ben", 3, "over", Some(1));
        let back = story.violations().into_iter().filter(|invariant| *invariant == "back in the room");
        assert_eq!(back.count(), expected, "after {away} ms, left: {left}");
    }
}

#[test]
fn a_partner_who_hears_nothing_of_a_loss_or_of_a_return_is_seen() {
    let mut story = Story::met();
    story.said(100, 1);
    story.lost(10_000, "ben", 2);
    story.closed(60_000, "r");
    story.lost(70_000, "ann", 1);
    story.breaks("the partner hears");
    let mut story = Story::met();
    story.said(100, 1);
    story.lost(10_000, "ben", 2);
    story.at(10_010, "ann", Event::PartnerLost);
    story.connected(20_000, "ben", 3, "room", Some(1));
    story.closed(60_000, "r");
    story.lost(70_000, "ann", 1);
    story.breaks("the partner hears");
}

#[test]
fn somebody_whose_only_connection_is_told_of_a_newer_one_is_seen() {
    let mut story = Story::met();
    story.at(500, "ann", Event::Replaced);
    story.breaks("the newest connection counts");
}

#[test]
fn a_drain_that_the_partner_hears_of_is_seen_also_when_it_hears_it_late() {
    for (heard, expected) in [(21_010, 1), (26_500, 1), (33_000, 0)] {
        let drained = drained(heard).violations().into_iter().filter(|what| *what == "a drain is not noticed");
        assert_eq!(drained.count(), expected, "heard at {heard} ms");
    }
}

/// Ben's gateway is drained, and he is back on Ann's; she hears at this time that he is gone.
fn drained(heard: Ms) -> Story {
    let mut story = Story::default();
    story.connected(0, "ann", 1, "idle", None);
    story.at(
        0,
        "ben",
        Event::Connected {
            connection: 2,
            gateway: 1,
            state: "idle".to_owned(),
            room: None,
            last_seq: None,
            old: false,
        },
    );
    story.opened(20, "r", [("ann", "talk"), ("ben", "talk")]);
    story.fact(25, Change::Started { room: "r".to_owned() });
    story.said(100, 1);
    story.at(20_000, "drain-gateway", Event::FaultBegan { target: "gateway-2".to_owned() });
    story.at(21_000, "ben", Event::Lost { connection: 2, cut: false });
    story.at(heard, "ann", Event::PartnerLost);
    story.connected(22_000, "ben", 3, "room", Some(1));
    story.at(25_000, "drain-gateway", Event::FaultOver);
    story.lost(40_000, "ann", 1);
    story
}
