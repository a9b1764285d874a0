//! Each invariant is seen to be broken by a history that breaks it, and a good history is found good.

mod story;

use chaos::{checker::check, history::Event, witness::Change};
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

#[test]
fn somebody_who_is_coming_back_is_no_ghost() {
    let mut story = Story::default();
    story.connected(0, "ann", 1, "idle", None);
    story.queued(10, "ann");
    story.lost(100, "ann", 1);
    story.at(4_990, "ann", Event::Coming);
    story.opened(5_000, "r", [("ann", "talk"), ("ben", "talk")]);
    assert_eq!(story.violations(), Vec::<&str>::new());
}

#[test]
fn the_ghost_of_a_killed_gateway_may_be_offered_for_15_s_and_not_longer() {
    for (waited, expected) in [(14_000, 0), (28_000, 1)] {
        let mut story = Story::default();
        story.connected(0, "ann", 1, "idle", None);
        story.queued(10, "ann");
        story.at(90, "kill-gateway", Event::FaultBegan);
        story.lost(100, "ann", 1);
        story.at(200, "kill-gateway", Event::FaultOver);
        story.opened(waited, "r", [("ann", "talk"), ("ben", "talk")]);
        let ghosts = story.violations().into_iter().filter(|invariant| *invariant == "no ghost offered");
        assert_eq!(ghosts.count(), expected, "after {waited} ms");
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
    story.at(900, "pause-nats", Event::FaultBegan);
    story.over(1_000, 1);
    story.at(11_000, "pause-nats", Event::FaultOver);
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
    let violations = check(&[], &[], &["1 in the collection users".to_owned()]);
    assert_eq!(violations[0].invariant, "nothing is left");
}
