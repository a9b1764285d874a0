//! Several tabs of one user.

use crate::story::Story;
use chaos::history::{Event, Ms};

/// Ann opens a second tab at 5 s, on another gateway.
fn two_tabs() -> Story {
    let mut story = Story::met();
    story.at(4_900, "ann", Event::Connecting);
    let (state, room) = ("room".to_owned(), None);
    story.at(
        5_000,
        "ann",
        Event::Connected { connection: 3, gateway: 1, state, room, last_seq: Some(0), legacy: false },
    );
    story
}

fn replaced(story: &mut Story, at: Ms, connection: u32) {
    story.at(at, "ann", Event::Replaced { connection });
    story.at(at + 1, "ann", Event::Disconnected { connection, by_client: false });
}

#[test]
fn the_older_of_two_tabs_is_replaced_and_not_the_newer() {
    for (connection, expected) in [(1, 0), (3, 1)] {
        let mut story = two_tabs();
        replaced(&mut story, 5_100, connection);
        story.lost(5_200, "ann", 4 - connection);
        assert_eq!(story.times_broken("the newest connection wins"), expected, "connection {connection}");
    }
}

#[test]
fn an_older_tab_that_is_never_replaced_is_seen_unless_its_gateway_is_broken() {
    for (fault, at, expected) in [(None, 9_000, 0), (None, 11_000, 1), (Some("gateway-1"), 11_000, 0)] {
        let mut story = two_tabs();
        if let Some(target) = fault {
            story.fault(4_000, target);
            story.at(8_000, target, Event::FaultEnded);
        }
        replaced(&mut story, at, 1);
        let found = story.times_broken("the newest connection wins");
        assert_eq!(found, expected, "replaced after {at} ms, broken: {fault:?}");
    }
}

#[test]
fn a_tab_that_an_attempt_after_it_replaces_is_none() {
    let mut story = Story::met();
    story.at(4_000, "ann", Event::Connecting);
    story.at(11_000, "ann", Event::ConnectFailed);
    replaced(&mut story, 12_000, 1);
    assert_eq!(story.times_broken("the newest connection wins"), 0);
}

#[test]
fn two_tabs_across_a_bus_that_hangs_are_counted() {
    let mut story = two_tabs();
    assert_eq!(story.coverage().of("two tabs across a hanging bus"), 0);
    story.at(-1, "suspend-bus", Event::FaultStarted { target: "gateway-1".to_owned() });
    story.at(8_000, "suspend-bus", Event::FaultEnded);
    assert_eq!(story.coverage().of("two tabs across a hanging bus"), 1);
}

#[test]
fn a_partner_who_is_notified_of_a_loss_when_an_older_tab_is_closed_is_seen() {
    for (newer_lost, expected) in [(None, 1), (Some(9_000), 0)] {
        let mut story = two_tabs();
        replaced(&mut story, 8_900, 1);
        if let Some(at) = newer_lost {
            story.lost(at, "ann", 3);
        }
        story.at(9_100, "ben", Event::PartnerLost);
        story.closed(60_000, "r");
        assert_eq!(story.times_broken("no false loss"), expected, "the newer one lost: {newer_lost:?}");
    }
}
