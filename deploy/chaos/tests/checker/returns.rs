//! Users who come back, and what the partner is notified of.

use crate::story::Story;
use chaos::{
    history::{Event, Ms},
    observe::change::Change,
};

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
        story.at(end + 5, "ben", Event::RoomEnded);
        let ended = story.violations().into_iter().filter(|promise| *promise == "ends for a reason");
        assert_eq!(ended.count(), expected, "away for {away} ms, left: {left}");
    }
}

#[test]
fn a_user_who_is_back_in_time_and_not_in_the_room_is_seen() {
    for (away, left, expected) in [(20_000, false, 1), (20_000, true, 0), (32_000, false, 0)] {
        let mut story = Story::met();
        story.sent(100, 1);
        story.lost(1_000, "ben", 2);
        if left {
            story.at(1_500, "ann", Event::Leaving);
        }
        story.closed(2_000, "r");
        story.connected(1_000 + away, "ben", 3, "over", Some(1));
        let back = story.violations().into_iter().filter(|promise| *promise == "back in the room");
        assert_eq!(back.count(), expected, "after {away} ms, left: {left}");
    }
}

#[test]
fn a_partner_who_is_not_notified_of_a_loss_or_of_a_return_is_seen() {
    let mut story = Story::met();
    story.sent(100, 1);
    story.lost(10_000, "ben", 2);
    story.closed(60_000, "r");
    story.lost(70_000, "ann", 1);
    story.breaks("partner notified");
    let mut story = Story::met();
    story.sent(100, 1);
    story.lost(10_000, "ben", 2);
    story.at(10_010, "ann", Event::PartnerLost);
    story.connected(20_000, "ben", 3, "room", Some(1));
    story.closed(60_000, "r");
    story.lost(70_000, "ann", 1);
    story.breaks("partner notified");
}

#[test]
fn a_user_whose_only_connection_is_replaced_is_seen() {
    let mut story = Story::met();
    story.at(500, "ann", Event::Replaced { connection: 1 });
    story.breaks("the newest connection wins");
}

#[test]
fn a_drain_that_the_partner_is_notified_of_is_seen_even_if_that_is_late() {
    for (notified, expected) in [(21_010, 1), (26_500, 1), (33_000, 0)] {
        let drained = drained(notified).violations().into_iter().filter(|what| *what == "drain unnoticed");
        assert_eq!(drained.count(), expected, "notified at {notified} ms");
    }
}

/// Ben's gateway is drained, and he is back on Ann's; she is notified at this time that he is gone.
fn drained(notified: Ms) -> Story {
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
            legacy: false,
        },
    );
    story.opened(20, "r", [("ann", "talk"), ("ben", "talk")]);
    story.fact(25, Change::RoomStarted { room: "r".to_owned() });
    story.sent(100, 1);
    story.at(20_000, "drain-gateway", Event::FaultStarted { target: "gateway-2".to_owned() });
    story.at(21_000, "ben", Event::Disconnected { connection: 2, by_client: false });
    story.at(notified, "ann", Event::PartnerLost);
    story.connected(22_000, "ben", 3, "room", Some(1));
    story.at(25_000, "drain-gateway", Event::FaultEnded);
    story.lost(40_000, "ann", 1);
    story
}
