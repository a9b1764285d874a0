//! Logs in JSON: each line an object, with the trace that it belongs to, and without what people
//! wrote.

use crate::{
    collector::Collector,
    support::{Lines, eventually, options, pair, sink, texts},
};
use async_nats::HeaderMap;
use local::{Stack, StackOptions};
use proto::{Command as _, RoomCommand, RoomId};
use serde_json::{Value, json};
use std::time::Duration;

const TEXT: &str = "a text that nobody else may read";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

async fn talkative_stack(collector: &Collector, lines: &Lines) -> Stack {
    let ours = "info,gateway=trace,matcher=trace,chat_store=trace,proto=trace";
    let env = [("LOG_FORMAT", "json"), ("LOG", ours)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let env = [collector.env(), env.to_vec()].concat();
    Stack::start(StackOptions { env, sink: sink(lines), ..options() }).await.expect("a stack")
}

/// Puts something that is no command into the stream, as a part of a trace.
async fn poison(stack: &Stack) {
    let js = async_nats::jetstream::new(async_nats::connect(stack.nats_url()).await.expect("NATS"));
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let subject = RoomCommand::RoomEnded { room: RoomId::new() }.subject();
    let published = js.publish_with_headers(subject, headers, TEXT.into()).await.expect("sent");
    published.await.expect("in the stream");
}

#[tokio::test]
async fn a_line_is_an_object_with_its_trace_and_without_what_people_wrote() {
    let (collector, lines) = (Collector::start().await, Lines::default());
    let stack = talkative_stack(&collector, &lines).await;
    let gateway = &stack.gateway_urls()[0];
    let (vent, listen) = pair(gateway, gateway).await;
    vent.socket.send(TEXT).await.expect("kept");
    texts(&listen.socket, 1).await;
    vent.person.post_message(gateway, TEXT).await.expect("kept");
    let wrong = json!({"content": {"text": TEXT}, "nonce": TEXT, "secret": vent.person.secret});
    vent.socket.request("send_message", wrong.clone()).await.expect("refused");
    vent.socket.request(TEXT, wrong).await.expect("refused");
    listen.socket.request_data("leave_room", json!(null)).await.expect("left");
    poison(&stack).await;
    let dead_lettered = |line: &&Value| line["trace_id"] == TRACE;
    let all = || async {
        let lines = lines.lock().expect("free");
        lines.iter().map(|line| serde_json::from_str::<Value>(line).expect(line)).collect::<Vec<_>>()
    };
    let parsed = eventually(Duration::from_secs(10), all, |lines| lines.iter().any(|line| dead_lettered(&line))).await;
    stack.stop().await.expect("a clean stop");

    let dead_lettered = parsed.iter().find(dead_lettered).expect("found before");
    assert_eq!((&dead_lettered["level"], &dead_lettered["service"]), (&json!("ERROR"), &json!("chat-store")));
    assert!(dead_lettered["span_id"].as_str().is_some_and(|id| id.len() == 16), "{dead_lettered}");
    let stored = parsed.iter().find(|line| line["message"] == "message stored").expect("at the debug level");
    assert_eq!(stored["trace_id"].as_str().map(str::len), Some(32), "{stored}");
    let first = parsed.iter().find(|line| line["service"] == "gateway").expect("lines of the gateway");
    assert_eq!(first["instance"], "gateway-1");

    let said = lines.lock().expect("free").join("\n");
    for hidden in [TEXT, &vent.person.secret, &listen.person.secret] {
        assert!(!said.contains(hidden), "{hidden} is in the logs");
    }
}
