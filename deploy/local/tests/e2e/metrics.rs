//! Metrics: what the dashboard and the alert rules ask for is there, from the start, and what
//! happens is counted.

use crate::{
    promql::{self, GIVEN, Wanted},
    support::{eventually, options, pair, texts},
};
use local::{Stack, StackOptions};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// One line of what a service exposes.
#[derive(Debug)]
struct Sample {
    metric: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// What all services expose, with the names that are described.
#[derive(Debug, Default)]
struct Exposed {
    samples: Vec<Sample>,
    described: BTreeSet<String>,
}

impl Exposed {
    async fn by(stack: &Stack) -> Self {
        let mut exposed = Self::default();
        for service in stack.services() {
            let text = reqwest::get(format!("{}/metrics", service.health_url())).await.expect("an answer");
            exposed.read(&text.text().await.expect("a text"));
        }
        exposed
    }

    fn read(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(help) = line.strip_prefix("# HELP ") {
                self.described.insert(help.split(' ').next().expect("a name").to_owned());
            } else if !line.starts_with('#') {
                self.samples.push(sample(line));
            }
        }
    }

    /// The sum over all services, of samples with these labels.
    fn sum(&self, metric: &str, labels: &[(&str, &str)]) -> f64 {
        let has =
            |sample: &&Sample| labels.iter().all(|(name, value)| sample.labels.get(*name).is_some_and(|v| v == value));
        self.samples.iter().filter(|sample| sample.metric == metric).filter(has).map(|sample| sample.value).sum()
    }

    fn has(&self, wanted: &Wanted) -> bool {
        let fits = |sample: &&Sample| {
            let matched = wanted.matchers.iter().filter(|matcher| !GIVEN.contains(&matcher.name.as_str()));
            let mut matched =
                matched.map(|matcher| sample.labels.get(&matcher.name).is_some_and(|v| matcher.is_match(v)));
            let mut grouped = wanted.grouped_by.iter().filter(|label| !GIVEN.contains(&label.as_str()));
            matched.all(|fits| fits) && grouped.all(|label| sample.labels.contains_key(label))
        };
        self.samples.iter().filter(|sample| sample.metric == wanted.metric).any(|sample| fits(&sample))
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (metric, labels) = series.split_once('{').unwrap_or((series, ""));
    let pairs = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once("=\""));
    let labels = pairs.map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned())).collect();
    Sample { metric: metric.to_owned(), labels, value: value.parse().expect("a number") }
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_ask_for_what_is_there_from_the_start() {
    let stack = Stack::start(options()).await.expect("a stack");
    // Consumers are named when they were first asked for.
    let lag = |exposed: &Exposed| exposed.samples.iter().any(|sample| sample.metric == "talk_consumer_pending");
    let exposed = eventually(Duration::from_secs(15), || Exposed::by(&stack), lag).await;
    let expressions = [promql::dashboard(), promql::alerts()].concat();
    assert!(expressions.len() > 40, "all of them were found");
    let wanted = expressions.iter().flat_map(|expression| promql::wanted(expression));
    // Prometheus' own.
    let missing = wanted.filter(|wanted| wanted.metric != "up" && !exposed.has(wanted));
    let missing: Vec<_> = missing.map(|wanted| (wanted.metric, wanted.expression)).collect();
    assert!(missing.is_empty(), "nobody exposes {missing:#?}");

    let own = exposed.samples.iter().filter(|sample| sample.metric.starts_with("talk_"));
    for sample in own {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| sample.metric.strip_suffix(end));
        let described = |name: &str| exposed.described.contains(name);
        assert!(described(&sample.metric) || family.is_some_and(described), "what is {}?", sample.metric);
        assert!(!sample.labels.contains_key("quantile"), "{} cannot be added up", sample.metric);
    }
}

#[tokio::test]
async fn a_conversation_is_counted() {
    let stack = Stack::start(StackOptions { gateways: 2, ..options() }).await.expect("a stack");
    let [first, second] = stack.gateway_urls() else { panic!("two gateways") };
    let (vent, listen) = pair(first, second).await;
    let stored = vent.socket.send("hello").await.expect("kept");
    assert_eq!(texts(&listen.socket, 1).await.len(), 1);
    listen.socket.request_data("like_message", json!({"message_id": stored["_id"]})).await.expect("liked");
    listen.socket.request("no_such_event", json!({})).await.expect("refused");
    let counted = |exposed: &Exposed| exposed.sum("talk_rooms_open", &[]) == 1.0;
    let exposed = eventually(Duration::from_secs(15), || Exposed::by(&stack), counted).await;
    for (metric, labels, value) in [
        ("talk_sockets", &[("client", "current")][..], 2.0),
        ("talk_users", &[("state", "paired")], 2.0),
        ("talk_matcher_leader", &[], 1.0),
        ("talk_matches_total", &[], 1.0),
        ("talk_match_wait_seconds_count", &[], 2.0),
        ("talk_match_wait_seconds_bucket", &[("le", "60")], 2.0),
        ("talk_messages_stored_total", &[], 1.0),
        ("talk_likes_total", &[], 1.0),
        ("talk_acknowledgement_seconds_count", &[("command", "message_sent")], 1.0),
        ("talk_acknowledgement_seconds_bucket", &[("command", "message_sent"), ("le", "5")], 1.0),
        ("talk_rejected_total", &[("reason", "unknown_event")], 1.0),
        ("talk_commands_total", &[("type", "queue_requested"), ("outcome", "applied")], 2.0),
        ("talk_dead_letters", &[], 0.0),
    ] {
        assert_eq!(exposed.sum(metric, labels), value, "{metric} {labels:?}");
    }
}
