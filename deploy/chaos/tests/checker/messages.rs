//! What became of messages.

use crate::story::Story;
use chaos::{history::Event, observe::change::Change};

#[test]
fn an_acknowledged_message_that_is_not_stored_is_seen() {
    let mut story = Story::met();
    story.sent(100, 1);
    story.acknowledged(300, "ann", 2, 2);
    story.over(1_000, 1);
    story.breaks("acknowledged is stored");
}

#[test]
fn an_acknowledgement_that_comes_before_the_message_is_stored_is_seen() {
    let mut story = Story::met();
    story.acknowledged(100, "ann", 1, 1);
    story.stored(400, "ann", 1);
    story.breaks("acknowledged is stored");
}

#[test]
fn a_message_that_is_stored_twice_is_seen() {
    let mut story = Story::met();
    story.sent(100, 1);
    let (id, room, author, nonce) = ("other".to_owned(), "r".to_owned(), "ann".to_owned(), "nonce1".to_owned());
    story.fact(200, Change::MessageStored { id, room, author, nonce, seq: 2 });
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
fn a_missed_message_that_is_not_in_resumed_is_seen_even_under_a_fault() {
    let mut story = Story::met();
    story.sent(100, 1);
    story.fault(150, "nats");
    story.lost(150, "ben", 2);
    story.stored(200, "ann", 2);
    story.acknowledged(205, "ann", 2, 2);
    story.at(300, "ben", Event::Connecting);
    story.connected(400, "ben", 3, "room", Some(1));
    story.at(3_000, "nats", Event::FaultEnded);
    story.over(3_100, 2);
    story.lost(3_120, "ben", 3);
    story.breaks("received by the partner");
}

#[test]
fn what_is_received_in_the_room_of_others_is_seen() {
    let mut story = Story::met();
    story.sent(100, 1);
    story.connected(0, "cleo", 9, "idle", None);
    story.received(105, "cleo", 9, "ann", 1);
    story.breaks("only in their own room");
}

#[test]
fn a_message_that_is_not_refused_in_time_is_seen_unless_its_gateway_is_broken() {
    for (broken, expected) in [("gateway-2", 1), ("gateway-1", 0)] {
        let mut story = Story::met();
        story.fault(500, broken);
        let (nonce, reply) = ("n".to_owned(), "nothing".to_owned());
        story.at(9_600, "ann", Event::Refused { nonce, reply, gateway: 0, after: 9_000 });
        let late = story.violations().into_iter().filter(|promise| *promise == "refused in time");
        assert_eq!(late.count(), expected, "{broken}");
    }
}

#[test]
fn a_message_that_is_received_twice_on_one_connection_is_seen() {
    let mut story = Story::met();
    story.sent(100, 1);
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
    story.sent(100, 1);
    story.stored(200, "ann", 3);
    story.breaks("no gap");
    let mut story = Story::met();
    story.stored(100, "ann", 1);
    story.sent(200, 2);
    story.breaks("no gap");
}

#[test]
fn a_message_that_is_stored_after_its_room_was_erased_is_seen_when_nothing_is_broken() {
    let mut story = Story::met();
    story.sent(100, 1);
    story.over(1_000, 1);
    story.stored(1_500, "ann", 2);
    story.erased(1_600, 2);
    story.breaks("erased at the end");
}

#[test]
fn a_message_that_is_erased_before_the_end_is_seen() {
    let mut story = Story::met();
    story.sent(100, 1);
    story.erased(900, 1);
    story.over(1_000, 0);
    story.breaks("acknowledged is stored");
}

#[test]
fn messages_that_outlive_their_room_are_seen() {
    let mut story = Story::met();
    story.sent(100, 1);
    story.over(1_000, 0);
    story.erased(9_000, 1);
    story.breaks("erased at the end");
}

#[test]
fn a_message_that_is_stored_after_the_end_and_stays_is_seen_even_under_a_fault() {
    let mut story = Story::met();
    story.sent(100, 1);
    story.fault(900, "nats");
    story.over(1_000, 1);
    story.at(11_000, "nats", Event::FaultEnded);
    let mut short = story.clone();
    story.stored(11_010, "ann", 2);
    story.erased(26_000, 2);
    story.breaks("erased at the end");
    short.stored(11_010, "ann", 2);
    short.erased(12_000, 2);
    assert_eq!(short.violations(), Vec::<&str>::new());
}

#[test]
fn what_is_stored_at_the_end_may_stay_while_servers_are_away_and_no_longer() {
    for (erased, expected) in [(70_000, 0), (90_000, 1)] {
        let mut story = Story::met();
        story.sent(100, 1);
        story.fault(900, "nats");
        story.at(31_000, "nats", Event::FaultEnded);
        story.fault(35_000, "mongodb");
        story.at(65_000, "mongodb", Event::FaultEnded);
        story.over(1_000, 0);
        story.stored(1_011, "ann", 2);
        story.erased(erased, 1);
        story.erased(erased, 2);
        let late = story.violations().into_iter().filter(|promise| *promise == "erased at the end");
        assert_eq!(late.count(), expected, "erased at {erased} ms");
    }
}
