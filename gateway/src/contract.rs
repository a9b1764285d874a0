//! Holds `proto/asyncapi.yaml` against the events, payloads and errors of this gateway, in both
//! directions: what one has and the other has not is a failure.

use crate::{
    error::{ApiError, Envelope},
    names::{Said, Told},
    payload::{Changed, Ended, Liked, QueueComplete, Resumed, Returned, Sent, State, Status},
};
use proto::{
    Message, MessageId, Queue, RoomId, UserId,
    events::{EndReason, QueueStatus},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use strum::{IntoEnumIterator as _, VariantNames as _};

fn document() -> Value {
    serde_saphyr::from_str(include_str!("../../proto/asyncapi.yaml")).expect("the document is YAML")
}

/// The names of the events of a channel.
fn events(channel: &str) -> BTreeSet<String> {
    let document = document();
    document["channels"][channel]["messages"].as_object().expect("messages").keys().cloned().collect()
}

fn names(code: &[&str]) -> BTreeSet<String> {
    code.iter().map(ToString::to_string).collect()
}

/// What the payload of an event violates; an event without a payload has no argument.
fn violations(channel: &str, event: &str, payload: &Value) -> Vec<String> {
    let document = document();
    let path = document["channels"][channel]["messages"][event]["$ref"].as_str().expect("a reference").to_owned();
    let schema = json!({ "allOf": [{ "$ref": format!("{path}/payload") }], "components": document["components"] });
    let validator = jsonschema::draft7::new(&schema).expect("a schema");
    validator.iter_errors(payload).map(|error| error.to_string()).collect()
}

#[track_caller]
fn told(event: Told, payload: &impl Serialize) {
    let payload = serde_json::to_value(payload).expect("serializes");
    let violations = violations("toClients", event.name(), &payload);
    assert!(violations.is_empty(), "{}: {violations:?} in {payload}", event.name());
}

fn message() -> Message {
    Message {
        id: MessageId::new(),
        room_id: RoomId::new(),
        author: UserId::new(),
        timestamp: 1_700_000_000.25,
        nonce: "n-1".into(),
        content: "hello".into(),
        liked: false,
        seq: 3,
    }
}

#[test]
fn the_document_has_exactly_the_events_of_the_code() {
    assert_eq!(events("fromClients"), names(Said::VARIANTS));
    assert_eq!(events("toClients"), names(Told::VARIANTS));
}

#[test]
fn what_clients_are_told_fits_the_document() {
    let (user_id, queue, waited_ms) = (UserId::new(), Queue::Vent, 1200);
    told(Told::QueueComplete, &QueueComplete { user_id });
    told(Told::QueueReturned, &Returned { queue, waited_ms });
    told(Told::QueueStatus, &Status { queue, waited_ms, waiting: QueueStatus { vent: 1, listen: 0, talk: 2 } });
    told(Told::QueueChanged, &Changed { from: queue, to: Queue::Talk });
    told(Told::MessageLiked, &Liked { message_id: MessageId::new(), user_id });
    told(Told::RoomEnded, &Ended { reason: EndReason::Left });
    told(Told::SendMessageToClient, &Sent::to(user_id, &message()));
}

#[test]
fn what_clients_are_told_after_connecting_fits_the_document() {
    let (user_id, message) = (UserId::new(), message());
    let room = |more| State::Room {
        room_id: message.room_id,
        partner_connected: true,
        last_seq: 3,
        messages: vec![Sent::to(user_id, &message)],
        more,
    };
    let waiting = State::Waiting { queue: Queue::Talk, waited_ms: 5 };
    for state in [State::Idle, State::Over, waiting, room(true), room(false)] {
        told(Told::Resumed, &Resumed { user_id, state });
    }
}

#[test]
fn acknowledgements_and_their_errors_fit_the_document() {
    let mut codes = names(ApiError::VARIANTS);
    for error in ApiError::iter() {
        let answer = serde_json::to_value(Envelope::<()>::of(Err(error))).expect("serializes");
        assert_eq!(violations("acknowledgement", "acknowledgement", &answer), Vec::<String>::new());
    }
    let document = document();
    let described = document["components"]["schemas"]["errorCode"]["enum"].as_array().expect("codes").clone();
    for code in described {
        assert!(codes.remove(code.as_str().expect("a name")), "{code} is no code");
    }
    assert!(codes.is_empty(), "not described: {codes:?}");
}

#[test]
fn the_examples_of_what_clients_say_fit_the_document() {
    let document = document();
    let mut without = BTreeSet::new();
    for event in Said::VARIANTS {
        let message = &document["components"]["messages"][event];
        match message["examples"][0].get("payload") {
            Some(example) => assert_eq!(violations("fromClients", event, example), Vec::<String>::new(), "{event}"),
            None => drop(without.insert(*event)),
        }
    }
    // Those that take the bare secret.
    assert_eq!(without, BTreeSet::from(["hello", "register_sid", "join_room", "leave_room"]));
    assert!(violations("fromClients", "hello", &json!({"secret": "s"})) != Vec::<String>::new());
}
