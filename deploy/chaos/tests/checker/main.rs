//! Each rule finds a history that breaks its promise, and none in a good one.

mod acknowledgements;
mod goodbyes;
mod messages;
mod returns;
mod silence;
mod story;
mod tabs;
mod users;
mod waits;

use chaos::{checker::check, history::Event};
use story::Story;

#[test]
fn a_good_conversation_breaks_nothing() {
    let mut story = Story::met();
    story.sent(100, 1);
    story.sent(200, 2);
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
fn a_member_who_was_not_notified_is_seen() {
    let mut story = Story::met();
    story.entries.retain(|entry| !(entry.who == "ben" && entry.what == Event::Matched));
    story.over(20_000, 0);
    story.breaks("both notified");
}

#[test]
fn a_member_who_is_not_notified_of_the_end_is_seen() {
    let mut story = Story::met();
    story.closed(1_000, "r");
    story.at(1_010, "ann", Event::Left);
    story.lost(1_020, "ann", 1);
    story.lost(30_000, "ben", 2);
    story.breaks("nobody left alone");
}

#[test]
fn what_was_never_judged_is_known() {
    let coverage = Story::met().coverage();
    assert_eq!((coverage.of("one open room"), coverage.of("erased at the end")), (1, 0));
}

#[test]
fn what_was_never_judged_under_a_fault_is_known() {
    let mut story = Story::met();
    story.fault(500, "nats");
    story.at(600, "nats", Event::FaultEnded);
    story.fault(15_000, "mongodb");
    story.sent(16_000, 1);
    let missing = story.coverage().missing(&story.entries);
    assert!(missing.contains(&("acknowledged is stored", "nats".to_owned())), "{missing:?}");
    assert!(!missing.contains(&("acknowledged is stored", "mongodb".to_owned())), "{missing:?}");
}

#[test]
fn anything_that_is_left_is_a_violation() {
    let violations = check(&[], &[], &["1 in the collection users".to_owned()]).violations;
    assert_eq!(violations[0].promise, "nothing is left");
}
