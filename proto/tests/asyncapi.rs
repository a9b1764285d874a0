//! Compares `asyncapi.yaml` with the bus of the code, in both directions: what only one of them has is a failure. The
//! contract test of the gateway does the same for socket events.

use async_nats::Subject;
use proto::{
    CommandId, ConnectionState, GatewayId, Notification, Queue, Refusal, RoomCommand, RoomId, UserCommand, UserId,
    admin::RoomEventKind, bus, commands::DisconnectCause, lease, notification::EndReason, presence::CONNECTIONS_PAGE,
    streams, subjects,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::PathBuf};
use strum::VariantNames as _;

fn document() -> Value {
    serde_saphyr::from_str(include_str!("../asyncapi.yaml")).expect("the document is YAML")
}

fn entries<'a>(value: &'a Value, what: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let object = value[what].as_object().unwrap_or_else(|| panic!("{what}"));
    object.iter().map(|(key, value)| (key.as_str(), value))
}

/// The addresses on the bus, with `*` for each parameter.
fn addresses() -> BTreeSet<String> {
    let document = document();
    let addresses = entries(&document, "channels").filter_map(|(_, channel)| channel["address"].as_str());
    addresses.filter(|address| *address != "/").map(general).collect()
}

fn general(address: &str) -> String {
    let tokens = address.split('.').map(|token| if token.starts_with('{') || token == ">" { "*" } else { token });
    tokens.collect::<Vec<_>>().join(".")
}

/// Each function and constant of `subjects` that makes a subject, with what it makes.
fn subjects_of_the_code() -> Vec<(&'static str, Vec<String>)> {
    let (user, room) = (UserId::new(), RoomId::new());
    let gateway: GatewayId = "g".parse().expect("an id");
    let text = |subject: Subject| vec![subject.to_string()];
    let all = |subjects: &[&str]| subjects.iter().map(ToString::to_string).collect();
    vec![
        ("MATCHER_WAKE", all(&[subjects::MATCHER_WAKE])),
        ("QUEUE_STATUS", all(&[subjects::QUEUE_STATUS])),
        ("CONNECTS", all(&[subjects::CONNECTS])),
        ("USER_COMMANDS", all(&subjects::USER_COMMANDS)),
        ("ROOM_COMMANDS", all(&subjects::ROOM_COMMANDS)),
        ("DEAD_LETTERS", all(&[subjects::DEAD_LETTERS])),
        ("ROOM_EVENTS", all(&[subjects::ROOM_EVENTS])),
        ("READ_WAITING", all(&[subjects::READ_WAITING])),
        ("READ_USER", all(&[subjects::READ_USER])),
        ("READ_HISTORY", all(&[subjects::READ_HISTORY])),
        ("user_command", text(subjects::user_command("user.left", user))),
        ("room_command", text(subjects::room_command("room.ended", room))),
        ("dead_letter", text(subjects::dead_letter("talk.x"))),
        ("original_subject", Vec::new()),
        ("notification", text(subjects::notification("typing", Some(room), user))),
        ("notifications_of", text(subjects::notifications_of(user))),
        ("match_made", text(subjects::match_made(room))),
        ("room_event", text(subjects::room_event("erased", room))),
        ("reply", text(subjects::reply(&gateway, CommandId::new()))),
        ("replies_of", text(subjects::replies_of(&gateway))),
        ("read_user", text(subjects::read_user(user))),
        ("read_history", text(subjects::read_history(room))),
        ("read_gateway", text(subjects::read_gateway(&gateway))),
        ("gateway_pending", text(subjects::gateway_pending(&gateway))),
        ("gateway_connections", text(subjects::gateway_connections(&gateway))),
        ("gateway_resync", text(subjects::gateway_resync(&gateway))),
    ]
}

/// The functions and constants of `subjects` that make a subject, read from its source.
fn makers() -> BTreeSet<&'static str> {
    let source = include_str!("../src/bus/subjects.rs").split("#[cfg(test)]").next().expect("the source");
    let constant = |line: &'static str| line.strip_prefix("pub const ").filter(|rest| rest.contains("&str"));
    let function = |line: &'static str| line.strip_prefix("pub fn ").filter(|rest| rest.contains("Subject"));
    let named = source.lines().filter_map(|line| constant(line).or_else(|| function(line)));
    named.filter_map(|rest| rest.split([':', '(', '<']).next()).collect()
}

#[test]
fn the_document_has_exactly_the_subjects_of_the_code() {
    let code = subjects_of_the_code();
    assert_eq!(code.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), makers(), "subjects.rs has others");
    let leases = [lease::gateway_key(&"g".parse().expect("an id")), lease::LEADER.to_owned()];
    let leases = leases.map(|key| format!("$KV.{}.{key}", streams::LEASES));
    let mut undescribed: Vec<String> = code.into_iter().flat_map(|(_, made)| made).chain(leases).collect();
    let fits = |address: &str, subject: &str| {
        let (address, subject): (Vec<_>, Vec<_>) = (address.split('.').collect(), subject.split('.').collect());
        address.len() == subject.len() && address.iter().zip(&subject).all(|(a, s)| a == s || *a == "*" || *s == "*")
    };
    let made = undescribed.iter().map(|subject| general(subject)).collect::<Vec<_>>();
    let addresses = addresses();
    for address in &addresses {
        assert!(made.iter().any(|subject| fits(address, subject)), "no code makes {address}");
    }
    undescribed.retain(|subject| !addresses.iter().any(|address| fits(address, &general(subject))));
    assert_eq!(undescribed, Vec::<String>::new(), "not in the document");
}

#[test]
fn the_parameters_of_a_channel_are_those_of_its_address() {
    let document = document();
    for (name, channel) in entries(&document, "channels") {
        let address = channel["address"].as_str().unwrap_or_default();
        let in_address: BTreeSet<_> =
            address.split('.').filter_map(|token| token.strip_prefix('{')?.strip_suffix('}')).collect();
        let described = channel["parameters"].as_object().into_iter().flatten();
        assert_eq!(described.map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>(), in_address, "{name}");
    }
}

#[test]
fn the_document_has_exactly_the_kinds_and_names_of_the_code() {
    let document = document();
    let kinds = |channel: &str| entries(&document["channels"][channel], "messages").map(|(kind, _)| kind).collect();
    assert_eq!(BTreeSet::from_iter(Notification::VARIANTS.iter().copied()), kinds("notification"));
    assert_eq!(BTreeSet::from_iter(RoomEventKind::VARIANTS.iter().copied()), kinds("event"));
    let commands = ["queueRequested", "userConnected", "userEntered", "userLeft", "userDisconnected"];
    let commands: BTreeSet<&str> = commands.into_iter().flat_map(kinds).collect();
    assert_eq!(BTreeSet::from_iter(UserCommand::VARIANTS.iter().copied()), commands);
    let commands: BTreeSet<&str> = ["messageSent", "messageLiked", "roomEnded"].into_iter().flat_map(kinds).collect();
    assert_eq!(BTreeSet::from_iter(RoomCommand::VARIANTS.iter().copied()), commands);
    let listed = |schema: &str| document["components"]["schemas"][schema]["enum"].clone();
    assert_eq!(listed("queue"), json!(Queue::ALL.map(Queue::as_str)));
    assert_eq!(listed("endReason"), json!(EndReason::VARIANTS));
    assert_eq!(listed("disconnectCause"), json!(DisconnectCause::VARIANTS));
    assert_eq!(listed("connectionState"), json!(ConnectionState::VARIANTS));
    assert_eq!(listed("refusal"), json!(Refusal::VARIANTS));
}

#[test]
fn the_document_has_exactly_the_headers_of_the_code() {
    let document = document();
    let messages =
        entries(&document["components"], "messages").chain(entries(&document["components"], "messageTraits"));
    let headers = messages.filter_map(|(_, message)| message["headers"]["properties"].as_object());
    let described: BTreeSet<String> = headers.flatten().map(|(name, _)| name.clone()).collect();
    let of_nats = [
        async_nats::header::NATS_MESSAGE_ID,
        async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
        async_nats::header::NATS_MESSAGE_TTL,
    ];
    // The names of W3C trace context.
    let own = [bus::REASON, bus::REPLY_TO, "traceparent", "tracestate"].map(ToOwned::to_owned);
    assert_eq!(described, of_nats.iter().map(ToString::to_string).chain(own).collect());
}

fn violations(document: &Value, message: &str, payload: &Value) -> Vec<String> {
    let path = format!("#/components/messages/{message}/payload");
    let schema = json!({ "allOf": [{ "$ref": path }], "components": document["components"] });
    let validator = jsonschema::draft7::new(&schema).expect("a schema");
    validator.iter_errors(payload).map(|error| error.to_string()).collect()
}

#[test]
fn every_golden_file_fits_the_one_payload_that_names_it() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(&folder).expect("golden files").map(|file| file.expect("a file").path());
    let mut unnamed: BTreeSet<String> =
        files.map(|file| file.file_stem().expect("a name").to_string_lossy().into_owned()).collect();
    let document = document();
    for (message, described) in entries(&document["components"], "messages") {
        for name in described["x-golden"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert!(unnamed.remove(name), "{message}: {name} is no golden file, or named twice");
            let golden = fs::read(folder.join(format!("{name}.json"))).expect("a golden file");
            let golden = serde_json::from_slice(&golden).expect("JSON");
            assert_eq!(violations(&document, message, &golden), Vec::<String>::new(), "{message}, {name}");
        }
    }
    assert_eq!(unnamed, BTreeSet::new(), "golden files that no message names");
}

/// Otherwise a field that only the document has would not be noticed.
#[test]
fn the_payloads_of_the_bus_require_all_described_fields_and_allow_no_others() {
    let document = document();
    let golden = |(_, message): &(&str, &Value)| message.get("x-golden").is_some();
    let schemas = ["counts", "queueDepth", "members", "message", "stamp", "register", "userView"]
        .map(|name| &document["components"]["schemas"][name]);
    let payloads = entries(&document["components"], "messages").filter(golden).map(|(_, message)| &message["payload"]);
    payloads.chain(schemas).for_each(closed);
}

#[test]
fn the_document_has_the_page_size_of_the_code() {
    let document = document();
    let payload = |message: &str| document["components"]["messages"][message]["payload"]["properties"].clone();
    assert_eq!(payload("gatewayConnectionsReply")["connections"]["maxItems"], CONNECTIONS_PAGE);
    assert_eq!(payload("gatewayResync")["users"]["maxItems"], CONNECTIONS_PAGE);
}

fn closed(schema: &Value) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let names: BTreeSet<_> = properties.keys().map(String::as_str).collect();
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        assert_eq!(required.collect::<BTreeSet<_>>(), names, "{schema}");
        assert_eq!(schema["additionalProperties"], false, "{schema}");
        properties.values().for_each(closed);
    }
    schema.get("items").into_iter().for_each(closed);
    schema.get("oneOf").and_then(Value::as_array).into_iter().flatten().for_each(closed);
}
