//! Traces: one message from socket to socket, in one of them, with nothing in it that is secret.

use crate::{
    collector::{Collector, Seen},
    support::{options, pair, texts},
};
use local::{Stack, StackOptions};

const TEXT: &str = "a text that nobody else may read";
const STRANGER: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// The span of this name below another one.
fn below<'a>(spans: &'a [Seen], parent: &Seen, by: &str, name: &str) -> &'a Seen {
    let is = |span: &&Seen| span.parent == parent.id && (span.by.as_str(), span.name.as_str()) == (by, name);
    spans.iter().find(is).unwrap_or_else(|| panic!("no {name} of {by} below {parent:?} in {spans:#?}"))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_message_is_one_trace_from_socket_to_socket_without_a_secret() {
    let collector = Collector::start().await;
    let stack = StackOptions { gateways: 2, env: collector.env(), ..options() };
    let stack = Stack::start(stack).await.expect("a stack");
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let stranger = reqwest::Client::new().get(format!("{first}/auth?{STRANGER}"));
    let stranger = stranger.header("traceparent", format!("00-{STRANGER}-00f067aa0ba902b7-01")).send().await;
    assert!(stranger.expect("an answer").status().is_success());

    let (vent, listen) = pair(first, second).await;
    let stored = vent.socket.send(TEXT).await.expect("kept");
    assert_eq!(texts(&listen.socket, 1).await, [(1, TEXT.to_owned())]);
    stack.stop().await.expect("a clean stop, with the last spans");

    let spans = collector.spans();
    let event = spans.iter().find(|span| span.name == "send_message").expect("a span of the event");
    let id = stored["_id"].as_str().expect("an id");
    assert_eq!((event.by.as_str(), &event.fields["user.id"]), ("gateway-1", &vent.person.user));
    assert!(event.parent.is_empty(), "a trace begins where somebody does something");
    let published = below(&spans, event, "gateway-1", "publish");
    let command = below(&spans, published, "chat-store-1", "command");
    assert_eq!(command.fields["message.id"], id);
    let insert = below(&spans, below(&spans, command, "chat-store-1", "store"), "chat-store-1", "insert");
    assert_eq!(insert.fields["db.system.name"], "mongodb");
    let notified = below(&spans, command, "gateway-2", "notification");
    assert_eq!((&notified.fields["message.id"], &notified.fields["user.id"]), (&id.to_owned(), &listen.person.user));
    let emitted = below(&spans, notified, "gateway-2", "emit");
    assert_eq!(emitted.fields["socket.event"], "send_message_to_client");
    assert!([published, command, insert, notified, emitted].iter().all(|span| span.trace == event.trace));

    let matched = spans.iter().find(|span| span.name == "match").expect("a span of the match");
    let notified = below(&spans, matched, "gateway-2", "notification");
    assert_eq!(below(&spans, notified, "gateway-2", "emit").fields["socket.event"], "queue_complete");

    let exported = collector.bytes();
    assert!(contains(&exported, id.as_bytes()), "looked in the right place");
    let stranger: Vec<u8> =
        (0..16).map(|n| u8::from_str_radix(&STRANGER[2 * n..2 * n + 2], 16).expect("hex")).collect();
    for hidden in [TEXT.as_bytes(), vent.person.secret.as_bytes(), listen.person.secret.as_bytes(), b"127.0.0.1"] {
        assert!(!contains(&exported, hidden), "{} is in the traces", String::from_utf8_lossy(hidden));
    }
    for chosen in [&stranger[..], STRANGER.as_bytes()] {
        assert!(!contains(&exported, chosen), "a stranger writes into the traces");
    }
}

#[tokio::test]
async fn an_unavailable_collector_is_logged_once_and_holds_up_nothing() {
    let nobody = format!("http://127.0.0.1:{}", servers::free_port().expect("a port"));
    let env = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", nobody.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "50")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let stack = Stack::start(StackOptions { env, ..options() }).await.expect("a stack");
    let gateway = &stack.gateway_urls()[0];
    let (vent, listen) = pair(gateway, gateway).await;
    for n in 1..=20 {
        vent.socket.send(&n.to_string()).await.expect("kept");
    }
    assert_eq!(texts(&listen.socket, 20).await.len(), 20);
    let gateway = stack.gateways()[0].clone();
    stack.stop().await.expect("a clean stop");
    let notified = gateway.recent_log().matches("trace collector unavailable").count();
    assert_eq!(notified, 1, "{}", gateway.recent_log());
}
