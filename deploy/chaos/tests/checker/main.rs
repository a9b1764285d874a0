//! Each invariant is seen to be broken by a history that breaks it, and a good history is found good.

mod story;

use chaos::{
    checker::check,
    history::{Event, Ms},
    witness::Change,
};
use story::Story;

#[test]
fn a_good_conversation_breaks_nothing() {
    let mut story = Story::met();
    story.said(100, 1);
    story.said(200, 2);
    story.lost(300, "ben", 2);
    story.stored(400, "ann", 3);
    story.acknowledged(405, "ann", 3, 3);
    story.connected(5_000, "ben", 3, "room", Some(2));
    story.received(5_000, "ben", 3, "ann", 3);
    story.over(20_000, 3);
    assert_eq!(story.violations(), Vec::<&str>::new());
}

#[test]
fn two_open_rooms_are_seen() {
    let mut story = Story::met();
    story.opened(50, "s", [("ann", "talk"), ("cleo", "talk")]);
    story.breaks("one open room");
}

#[test]
fn a_room_of_two_who_do_not_fit_or_are_one_is_seen() {
    for members in [[("cleo", "vent"), ("dan", "vent")], [("cleo", "talk"), ("cleo", "talk")]] {
        let mut story = Story::default();
        story.opened(50, "s", members);
        story.breaks("one open room");
    }
}

#[test]
fn a_member_who_was_not_told_is_seen() {
    let mut story = Story::met();
    story.entries.retain(|entry| !(entry.who == "ben" && entry.what == Event::Matched));
    story.over(20_000, 0);
    story.breaks("both told");
}

#[test]
fn an_acknowledged_message_that_is_not_stored_is_seen() {
    let mut story = Story::met();
    story.said(100, 1);
    story.acknowledged(300, "ann", 2, 2);
    story.over(1_000, 1);
    story.breaks("acknowledged is kept");
}

#[test]
fn an_acknowledgement_that_comes_before_the_message_is_stored_is_seen() {
    let mut story = Story::met();
    story.acknowledged(100, "ann", 1, 1);
    story.stored(400, "ann", 1);
    story.breaks("acknowledged is kept");
}

#[test]
fn a_message_that_is_stored_twice_is_seen() {
    let mut story = Story::met();
    story.said(100, 1);
    let (id, room, author, nonce) = ("other".to_owned(), "r".to_owned(), "ann".to_owned(), "nonce1".to_owned());
    story.fact(200, Change::Stored { id, room, author, nonce, seq: 2 });
    story.breaks("stored once");
}

#[test]
fn a_message_that_never_reaches_a_partner_who_is_there_or_comes_back_is_seen() {
    let mut story = Story::met();
    story.stored(100, "ann", 1);
    story.acknowledged(105, "ann", 1, 1);
    let mut back = story.clone();
    story.over(20_000, 1);
    story.breaks("received by the partner");
    back.lost(110, "ben", 2);
    back.connected(1_000, "ben", 3, "room", Some(0));
    back.over(20_000, 1);
    back.breaks("received by the partner");
}

#[test]
fn a_missed_message_that_who_comes_back_is_not_told_of_is_seen_also_under_a_fault() {
    let mut story = Story::met();
    story.said(100, 1);
    story.fault(150, "nats");
    story.lost(150, "ben", 2);
    story.stored(200, "ann", 2);
    story.acknowledged(205, "ann", 2, 2);
    story.at(300, "ben", Event::Coming);
    story.connected(400, "ben", 3, "room", Some(1));
    story.at(3_000, "nats", Event::FaultOver);
    story.over(3_100, 2);
    story.lost(3_120, "ben", 3);
    story.breaks("received by the partner");
}

#[test]
fn what_is_received_in_the_room_of_others_is_seen() {
    let mut story = Story::met();
    story.said(100, 1);
    story.connected(0, "cleo", 9, "idle", None);
    story.received(105, "cleo", 9, "ann", 1);
    story.breaks("in their own room");
}

#[test]
fn a_message_that_nobody_answers_or_refuses_in_time_is_seen_unless_its_gateway_is_broken() {
    for (broken, expected) in [("gateway-2", 1), ("gateway-1", 0)] {
        let mut story = Story::met();
        story.fault(500, broken);
        let (nonce, answer) = ("n".to_owned(), "nothing".to_owned());
        story.at(9_600, "ann", Event::Refused { nonce, answer, after: 9_000 });
        let late = story.violations().into_iter().filter(|invariant| *invariant == "refused in time");
        assert_eq!(late.count(), expected, "{broken}");
    }
}

#[test]
fn a_message_that_is_received_twice_on_one_connection_is_seen() {
    let mut story = Story::met();
    story.said(100, 1);
    story.received(200, "ben", 2, "ann", 1);
    story.breaks("received once");
}

#[test]
fn another_order_than_the_sequence_is_seen() {
    let mut story = Story::met();
    for seq in [1, 2] {
        story.stored(100, "ann", seq);
        story.acknowledged(110, "ann", 3 - seq, seq);
    }
    story.breaks("one order");
    let mut story = Story::met();
    story.stored(100, "ann", 1);
    story.stored(100, "ann", 2);
    story.received(200, "ben", 2, "ann", 2);
    story.received(210, "ben", 2, "ann", 1);
    story.breaks("one order");
}

#[test]
fn a_gap_is_seen_in_the_database_and_at_the_receiver() {
    let mut story = Story::met();
    story.said(100, 1);
    story.stored(200, "ann", 3);
    story.breaks("no gap");
    let mut story = Story::met();
    story.stored(100, "ann", 1);
    story.said(200, 2);
    story.breaks("no gap");
}

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
        story.fact(4_950, Change::Present { user: "ann".to_owned(), epoch: 7 });
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
            story.fact(back, Change::Present { user: "ann".to_owned(), epoch: 7 });
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

#[test]
fn two_who_fit_and_wait_for_longer_than_a_tick_are_seen() {
    for (queues, expected) in [(["vent", "listen"], 1), (["vent", "talk"], 0), (["talk", "talk"], 1)] {
        let mut story = Story::default();
        for ((who, connection), queue) in [("ann", 1), ("ben", 2)].into_iter().zip(queues) {
            story.connected(0, who, connection, "idle", None);
            story.at(10, who, Event::Queued { queue: queue.to_owned() });
            story.lost(8_000, who, connection);
        }
        let waits = story.violations().into_iter().filter(|invariant| *invariant == "nobody waits for ever");
        assert_eq!(waits.count(), expected, "{queues:?}");
    }
}

#[test]
fn two_who_wait_for_each_other_are_seen() {
    let mut story = Story::default();
    for (who, connection) in [("ann", 1), ("ben", 2)] {
        story.connected(0, who, connection, "idle", None);
        story.queued(10, who);
        story.lost(60_000, who, connection);
    }
    story.breaks("nobody waits for ever");
}

#[test]
fn somebody_whose_partner_is_gone_and_who_is_left_in_the_room_is_seen() {
    let mut story = Story::met();
    story.lost(1_000, "ann", 1);
    story.lost(90_000, "ben", 2);
    story.breaks("nobody left alone");
}

#[test]
fn somebody_who_is_not_told_that_it_is_over_is_seen() {
    let mut story = Story::met();
    story.closed(1_000, "r");
    story.at(1_010, "ann", Event::Left);
    story.lost(1_020, "ann", 1);
    story.lost(30_000, "ben", 2);
    story.breaks("nobody left alone");
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
fn a_drain_that_the_partner_hears_of_is_seen() {
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
    story.fact(25, Change::Begun { room: "r".to_owned() });
    story.said(100, 1);
    story.at(20_000, "drain-gateway", Event::FaultBegan { target: "gateway-2".to_owned() });
    story.at(21_000, "ben", Event::Lost { connection: 2, cut: false });
    story.at(21_010, "ann", Event::PartnerLost);
    story.connected(22_000, "ben", 3, "room", Some(1));
    story.at(25_000, "drain-gateway", Event::FaultOver);
    story.lost(40_000, "ann", 1);
    story.breaks("a drain is not noticed");
}

#[test]
fn what_was_never_judged_is_known() {
    let coverage = Story::met().coverage();
    assert_eq!((coverage.of("one open room"), coverage.of("erased at the end")), (1, 0));
}

#[test]
fn a_message_that_is_stored_after_its_room_was_erased_is_seen_when_nothing_is_broken() {
    let mut story = Story::met();
    story.said(100, 1);
    story.over(1_000, 1);
    story.stored(1_500, "ann", 2);
    story.erased(1_600, 2);
    story.breaks("erased at the end");
}

#[test]
fn messages_that_outlive_their_room_are_seen() {
    let mut story = Story::met();
    story.said(100, 1);
    story.over(1_000, 0);
    story.erased(9_000, 1);
    story.breaks("erased at the end");
}

#[test]
fn a_message_that_is_stored_after_the_end_and_stays_is_seen_also_under_a_fault() {
    let mut story = Story::met();
    story.said(100, 1);
    story.fault(900, "nats");
    story.over(1_000, 1);
    story.at(11_000, "nats", Event::FaultOver);
    let mut short = story.clone();
    story.stored(11_010, "ann", 2);
    story.erased(26_000, 2);
    story.breaks("erased at the end");
    short.stored(11_010, "ann", 2);
    short.erased(12_000, 2);
    assert_eq!(short.violations(), Vec::<&str>::new());
}

#[test]
fn whatever_is_left_is_a_violation() {
    let violations = check(&[], &[], &["1 in the collection users".to_owned()]).violations;
    assert_eq!(violations[0].invariant, "nothing is left");
}
