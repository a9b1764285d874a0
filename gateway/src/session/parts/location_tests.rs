//! The state machine of [`super::Location`], case by case and as properties.

use super::*;
use proptest::prelude::*;

const QUEUE: Queue = Queue::Vent;

struct Scene {
    location: Location,
    view: RoomView,
    other: RoomView,
}

/// Where a case begins.
#[derive(Clone, Copy, Debug)]
enum From {
    Idle,
    Waiting,
    Announced,
    Entered,
    Met,
}

fn view() -> RoomView {
    RoomView { room: RoomId::new(), partner: UserId::new(), entered: true, started: true, partner_connected: true }
}

fn scene(client: ClientKind, from: From) -> Scene {
    let (mut location, view, other) = (Location::new(UserId::new(), client), view(), view());
    match from {
        From::Idle => {}
        From::Waiting => location.assume(&UserState::Waiting { queue: QUEUE, since_ms: 1 }),
        From::Announced => {
            location.assume(&UserState::Room(RoomView { entered: false, started: false, ..view.clone() }))
        }
        From::Entered => location.assume(&UserState::Room(RoomView { started: false, ..view.clone() })),
        From::Met => location.assume(&UserState::Room(view.clone())),
    }
    Scene { location, view, other }
}

type Change = fn(&mut Scene) -> Outcome;

/// What comes out, by the names of events.
fn outcome(client: ClientKind, from: From, change: Change) -> (Vec<&'static str>, Option<FollowUp>, Scene) {
    let mut scene = scene(client, from);
    let outcome = change(&mut scene);
    (outcome.events.iter().map(ServerEvent::name).collect(), outcome.follow_up, scene)
}

const IDLE: Change = |scene| scene.location.observe(&UserState::Idle);
const WAITING: Change = |scene| scene.location.observe(&UserState::Waiting { queue: QUEUE, since_ms: 2 });
const IN_ROOM: Change = |scene| scene.location.observe(&UserState::Room(scene.view.clone()));
const NOT_ENTERED: Change =
    |scene| scene.location.observe(&UserState::Room(RoomView { entered: false, started: false, ..scene.view.clone() }));
const OTHER_ROOM: Change =
    |scene| scene.location.observe(&UserState::Room(RoomView { entered: false, ..scene.other.clone() }));
const PARTNER_LOST: Change = |scene| scene.location.partner(false);
const PARTNER_BACK: Change = |scene| scene.location.partner(true);
const PARTNER_ENTERED: Change = |scene| scene.location.member_entered(scene.view.partner, true);
const OWN_ENTERED: Change = |scene| scene.location.member_entered(UserId::new(), true);
const REPLIED: Change = |scene| scene.location.has_entered(&scene.view);
const REPLIED_ALONE: Change = |scene| scene.location.has_entered(&RoomView { started: false, ..scene.view.clone() });
const ENDED: Change = |scene| scene.location.ended(EndReason::Left);
const REQUEUED: Change = |scene| scene.location.requeued(QUEUE, 1);
const MOVED: Change = |scene| scene.location.moved(QUEUE, Queue::Talk);

#[test]
fn a_current_client_receives_what_changes() {
    for (name, from, change, events) in [
        ("nothing is news", From::Idle, IDLE, &[][..]),
        ("in a queue", From::Idle, WAITING, &[]),
        ("matched", From::Waiting, OTHER_ROOM, &["queue_complete"]),
        ("matched, not seen to wait", From::Idle, IN_ROOM, &["queue_complete"]),
        ("announced again", From::Announced, NOT_ENTERED, &["queue_complete"]),
        ("announced again, entered", From::Entered, NOT_ENTERED, &[]),
        ("entered, the partner is there", From::Announced, REPLIED, &["user_connected"]),
        ("entered first", From::Announced, REPLIED_ALONE, &[]),
        ("entered twice", From::Met, REPLIED, &[]),
        ("the partner entered", From::Entered, PARTNER_ENTERED, &["user_connected"]),
        ("the partner entered, before this client", From::Announced, PARTNER_ENTERED, &[]),
        ("the partner is lost", From::Met, PARTNER_LOST, &["user_disconnected"]),
        ("lost twice", From::Entered, PARTNER_LOST, &[]),
        ("back, never lost", From::Met, PARTNER_BACK, &[]),
        ("resync with a partner who is there", From::Entered, IN_ROOM, &["user_connected"]),
        ("the end", From::Met, ENDED, &["user_disconnected", "room_ended"]),
        ("the end, alone", From::Entered, ENDED, &["room_ended"]),
        ("the end, found by a resync", From::Met, IDLE, &["user_disconnected", "room_ended"]),
        ("returned to the queue", From::Announced, REQUEUED, &["queue_returned"]),
        ("returned, found by a resync", From::Announced, WAITING, &["queue_returned"]),
        ("another room, found by a resync", From::Met, OTHER_ROOM, &["queue_complete"]),
        ("moved", From::Waiting, MOVED, &["queue_changed"]),
        ("moved, but matched meanwhile", From::Announced, MOVED, &[]),
    ] {
        assert_eq!(outcome(ClientKind::Current, from, change).0, events, "{name}");
    }
}

#[test]
fn a_legacy_client_receives_only_what_it_knows() {
    for (name, from, change, events) in [
        ("matched", From::Waiting, OTHER_ROOM, &["queue_complete"][..]),
        ("entered first: the answer to join_room", From::Announced, REPLIED_ALONE, &["user_connected"]),
        ("entered again: likewise", From::Met, REPLIED, &["user_connected"]),
        ("the end", From::Met, ENDED, &["user_disconnected"]),
        ("returned to the queue", From::Announced, REQUEUED, &[]),
        ("moved", From::Waiting, MOVED, &[]),
    ] {
        assert_eq!(outcome(ClientKind::Legacy, from, change).0, events, "{name}");
    }
}

#[test]
fn the_session_follows_up() {
    for (name, client, from, change, expected) in [
        ("a current client enters", ClientKind::Current, From::Waiting, IN_ROOM, "enter"),
        ("a legacy one sends join_room", ClientKind::Legacy, From::Waiting, IN_ROOM, "nothing"),
        ("the reply was lost", ClientKind::Legacy, From::Announced, OWN_ENTERED, "enter"),
        ("it was not", ClientKind::Current, From::Entered, OWN_ENTERED, "nothing"),
        ("messages may be missing", ClientKind::Current, From::Met, IN_ROOM, "catch up"),
        ("erased while waiting", ClientKind::Legacy, From::Waiting, IDLE, "requeue"),
        ("erased with the room", ClientKind::Current, From::Met, ENDED, "released"),
        ("idle as before", ClientKind::Current, From::Idle, IDLE, "nothing"),
    ] {
        let (_, follow_up, scene) = outcome(client, from, change);
        let follow_up = match follow_up {
            None => "nothing",
            Some(FollowUp::Enter(room)) => {
                assert_eq!(room, scene.view.room, "{name}");
                "enter"
            }
            Some(FollowUp::CatchUp) => "catch up",
            Some(FollowUp::Requeue(queue)) => {
                assert_eq!(queue, QUEUE, "{name}");
                "requeue"
            }
            Some(FollowUp::Released) => "released",
        };
        assert_eq!(follow_up, expected, "{name}");
    }
}

#[test]
fn a_client_may_write_only_once_it_has_entered() {
    for (from, may) in [
        (From::Idle, false),
        (From::Waiting, false),
        (From::Announced, false),
        (From::Entered, true),
        (From::Met, true),
    ] {
        assert_eq!(scene(ClientKind::Current, from).location.entered().is_some(), may, "{from:?}");
    }
    let mut left = scene(ClientKind::Current, From::Met);
    left.location.left();
    assert_eq!(left.location.entered(), None);
}

const CHANGES: [Change; 14] = [
    IDLE,
    WAITING,
    IN_ROOM,
    NOT_ENTERED,
    OTHER_ROOM,
    PARTNER_LOST,
    PARTNER_BACK,
    PARTNER_ENTERED,
    OWN_ENTERED,
    REPLIED,
    REPLIED_ALONE,
    ENDED,
    REQUEUED,
    MOVED,
];

proptest! {
    #[test]
    fn the_partner_is_never_lost_or_back_twice_for_a_current_client(
        changes in prop::collection::vec(prop::sample::select(CHANGES.to_vec()), 0..40),
    ) {
        let (mut scene, mut connected) = (scene(ClientKind::Current, From::Idle), false);
        for change in changes {
            for event in change(&mut scene).events {
                match event {
                    ServerEvent::QueueComplete { .. } | ServerEvent::RoomEnded { .. } | ServerEvent::QueueReturned { .. } => {
                        connected = false;
                    }
                    ServerEvent::UserConnected => prop_assert!(!std::mem::replace(&mut connected, true)),
                    ServerEvent::UserDisconnected => prop_assert!(std::mem::replace(&mut connected, false)),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn after_any_history_the_matchers_state_is_where_the_user_is(
        changes in prop::collection::vec(prop::sample::select(CHANGES.to_vec()), 0..40),
        legacy in any::<bool>(),
    ) {
        let client = if legacy { ClientKind::Legacy } else { ClientKind::Current };
        let mut scene = scene(client, From::Idle);
        for change in changes {
            change(&mut scene);
        }
        IN_ROOM(&mut scene);
        prop_assert_eq!(scene.location.room(), Some(scene.view.room));
        WAITING(&mut scene);
        prop_assert_eq!(scene.location.waiting(), Some((QUEUE, if scene.location.waiting() == Some((QUEUE, 1)) { 1 } else { 2 })));
        // Who waits still waits: the queue is requested again.
        prop_assert_eq!(IDLE(&mut scene).follow_up, Some(FollowUp::Requeue(QUEUE)));
    }
}
