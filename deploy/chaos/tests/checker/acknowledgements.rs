//! Queue requests and likes that were acknowledged.

use crate::story::Story;
use chaos::{history::Event, observe::change::Change};

#[test]
fn an_acknowledged_queue_request_that_mongodb_knows_nothing_of_is_seen() {
    for (waits_at, expected) in [(None, 1), (Some(1_005), 0), (Some(500), 0), (Some(1_200), 1)] {
        let mut story = Story::default();
        story.connected(0, "ann", 1, "idle", None);
        story.state(10, "ann", "idle");
        story.at(1_000, "ann", Event::QueueRequested);
        if let Some(at) = waits_at {
            story.state(at, "ann", "waiting");
        }
        story.queued(1_020, "ann");
        story.lost(2_000, "ann", 1);
        assert_eq!(story.times_broken("acknowledged is queued"), expected, "waits at: {waits_at:?}");
    }
}

#[test]
fn an_acknowledged_like_that_is_not_stored_is_seen() {
    for (stored, expected) in [(None, 1), (Some(190), 0), (Some(400), 1)] {
        let mut story = Story::met();
        story.sent(100, 1);
        if let Some(at) = stored {
            story.fact(at, Change::MessageLiked { id: "id1".to_owned() });
        }
        story.at(200, "ben", Event::Liked { message: "id1".to_owned() });
        assert_eq!(story.times_broken("acknowledged is liked"), expected, "stored: {stored:?}");
    }
}

#[test]
fn a_like_that_never_reaches_the_author_is_seen() {
    for (received, expected) in [(false, 1), (true, 0)] {
        let mut story = Story::met();
        story.sent(100, 1);
        story.fact(10_000, Change::MessageLiked { id: "id1".to_owned() });
        story.at(10_005, "ben", Event::Liked { message: "id1".to_owned() });
        if received {
            story.at(10_005, "ann", Event::LikeReceived { message: "id1".to_owned() });
        }
        story.over(20_000, 1);
        assert_eq!(story.times_broken("likes received"), expected, "received: {received}");
    }
}
