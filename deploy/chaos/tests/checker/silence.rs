//! Connections whose packets are dropped: nobody closes them, and the gateway notices by its pings.

use crate::story::Story;
use chaos::history::Event;

#[test]
fn a_user_whose_packets_are_dropped_is_no_ghost_until_the_pings_are_missed() {
    for (opened, expected) in [(26_000, 0), (28_500, 1)] {
        let mut story = Story::default();
        story.connected(0, "ann", 1, "idle", None);
        story.connected(0, "ben", 2, "idle", None);
        story.queued(10, "ann");
        story.silenced(1_000, "ann", 1);
        story.opened(opened, "r", [("ann", "talk"), ("ben", "talk")]);
        assert_eq!(story.times_broken("no ghost matched"), expected, "matched after {opened} ms");
    }
}

#[test]
fn a_partner_who_is_not_notified_of_missed_pings_is_seen() {
    for (notified, expected) in [(None, 1), (Some(26_500), 0)] {
        let mut story = Story::met();
        story.silenced(1_000, "ann", 1);
        if let Some(at) = notified {
            story.at(at, "ben", Event::PartnerLost);
        }
        story.closed(56_000, "r");
        story.at(56_010, "ben", Event::RoomEnded);
        story.lost(60_000, "ben", 2);
        assert_eq!(story.times_broken("partner notified"), expected, "notified: {notified:?}");
    }
}

#[test]
fn a_conversation_may_end_30_s_after_the_pings_were_missed_and_no_earlier() {
    for (closed, back, expected) in [(40_000, None, 1), (46_000, None, 0), (40_000, Some(4_000), 1)] {
        let mut story = Story::met();
        story.silenced(1_000, "ann", 1);
        if let Some(at) = back {
            story.connected(at, "ann", 3, "room", Some(0));
        }
        story.closed(closed, "r");
        assert_eq!(story.times_broken("ends for a reason"), expected, "after {closed} ms, back: {back:?}");
    }
}

#[test]
fn a_connection_whose_packets_were_dropped_does_not_outlive_a_newer_one() {
    let mut story = Story::met();
    story.silenced(1_000, "ann", 1);
    story.connected(4_000, "ann", 3, "room", Some(0));
    story.lost(5_000, "ann", 3);
    story.closed(35_500, "r");
    assert_eq!(story.times_broken("ends for a reason"), 0);
}

#[test]
fn the_late_end_of_a_dead_connection_harms_no_newer_one() {
    for (lost_again, replaced, promise) in [(true, false, "no false loss"), (false, true, "the newest connection wins")]
    {
        let mut story = Story::met();
        story.silenced(1_000, "ann", 1);
        story.connected(4_000, "ann", 3, "room", Some(0));
        story.closed(60_000, "r");
        assert_eq!(story.times_broken(promise), 0);
        assert!(story.coverage().of("no false loss") > 0, "it could have been seen");
        if lost_again {
            story.at(26_100, "ben", Event::PartnerLost);
        }
        if replaced {
            story.at(26_100, "ann", Event::Replaced { connection: 3 });
        }
        story.breaks(promise);
    }
}
