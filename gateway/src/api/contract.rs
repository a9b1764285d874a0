//! Compares `proto/asyncapi.yaml` with the events, payloads and errors of this gateway, in both directions: what one
//! has and the other has not is a failure. Events are rendered as they are for a socket.

use crate::api::{
    client_event::ClientEventName,
    error::{ApiError, Envelope},
    server_event::{ResumedState, Sent, ServerEvent},
};
use proto::{
    Message, MessageId, Queue, RoomId, UserId,
    notification::{EndReason, QueueStatus},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use strum::{IntoEnumIterator as _, VariantNames as _};

fn document() -> Value {
    serde_saphyr::from_str(include_str!("../../../proto/asyncapi.yaml")).expect("the document is YAML")
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

/// At least one event of each variant; those with forms in every form.
fn every_server_event() -> Vec<ServerEvent> {
    let (user_id, queue, waited_ms, message_id) = (UserId::new(), Queue::Vent, 1200, MessageId::new());
    let waiting = QueueStatus { vent: 1, listen: 0, talk: 2 };
    let room = |more| ResumedState::Room {
        room_id: RoomId::new(),
        partner_connected: true,
        last_seq: 3,
        messages: vec![Sent::to(user_id, message())],
        more,
    };
    let states =
        [ResumedState::Idle, ResumedState::Over, ResumedState::Waiting { queue, waited_ms }, room(true), room(false)];
    let mut all = vec![
        ServerEvent::QueueStatus { queue, waited_ms, waiting },
        ServerEvent::QueueChanged { from: queue, to: Queue::Talk },
        ServerEvent::QueueComplete { user_id },
        ServerEvent::QueueReturned { queue, waited_ms },
        ServerEvent::UserConnected,
        ServerEvent::UserDisconnected,
        ServerEvent::SendMessageToClient(Sent::to(user_id, message())),
        ServerEvent::MessageLiked { message_id, user_id },
        ServerEvent::PartnerStartsTyping,
        ServerEvent::PartnerStopsTyping,
        ServerEvent::RoomEnded { reason: EndReason::Left },
        ServerEvent::RoomEnded { reason: EndReason::Gone },
        ServerEvent::Replaced,
    ];
    all.extend(states.map(|state| ServerEvent::Resumed { user_id, state }));
    all
}

#[test]
fn the_document_has_exactly_the_events_of_the_code() {
    assert_eq!(events("fromClients"), names(ClientEventName::VARIANTS));
    assert_eq!(events("toClients"), names(ServerEvent::VARIANTS));
    let emitted: BTreeSet<String> = every_server_event().iter().map(|event| event.name().to_owned()).collect();
    assert_eq!(emitted, names(ServerEvent::VARIANTS), "each variant is held against the document");
}

#[test]
fn what_is_emitted_fits_the_document() {
    let document = document();
    for event in every_server_event() {
        let rendered = event.render().expect("rendered");
        let path = document["channels"]["toClients"]["messages"][rendered.name]["$ref"].as_str().expect("a reference");
        let described = document.pointer(path.trim_start_matches('#')).expect("a message");
        assert_eq!(described.get("payload").is_some(), rendered.payload.is_some(), "{}", rendered.name);
        let Some(payload) = rendered.payload else { continue };
        let payload: Value = serde_json::from_str(payload.get()).expect("JSON");
        let violations = violations("toClients", rendered.name, &payload);
        assert!(violations.is_empty(), "{}: {violations:?} in {payload}", rendered.name);
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
fn the_examples_of_client_events_fit_document_and_code() {
    let document = document();
    let mut without = BTreeSet::new();
    for event in ClientEventName::VARIANTS {
        let message = &document["components"]["messages"][event];
        match message["examples"][0].get("payload") {
            Some(example) => {
                assert_eq!(violations("fromClients", event, example), Vec::<String>::new(), "{event}");
                let name = ClientEventName::find(event).expect("an event");
                assert!(name.parse(Some(example.clone())).is_ok(), "{event}: {example}");
            }
            None => drop(without.insert(*event)),
        }
    }
    // Those that take the bare secret.
    assert_eq!(without, BTreeSet::from(["hello", "register_sid", "join_room", "leave_room"]));
    assert!(violations("fromClients", "hello", &json!({"secret": "s"})) != Vec::<String>::new());
}
