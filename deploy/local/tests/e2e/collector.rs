//! What a collector of traces does: takes them by OTLP over HTTP, and keeps them.

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message as _;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

type Taken = Arc<Mutex<Vec<Bytes>>>;

/// A collector on a port of its own, until the test ends.
pub(crate) struct Collector {
    pub(crate) url: String,
    taken: Taken,
}

/// A span as it was exported.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Which process.
    pub(crate) by: String,
    pub(crate) name: String,
    pub(crate) trace: Vec<u8>,
    pub(crate) id: Vec<u8>,
    pub(crate) parent: Vec<u8>,
    pub(crate) fields: BTreeMap<String, String>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let taken = Taken::default();
        let take = async |State(taken): State<Taken>, body: Bytes| taken.lock().expect("free").push(body);
        let router = Router::new().route("/v1/traces", post(take)).with_state(taken.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, taken }
    }

    /// The variables that make services export to it.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        vec![("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), self.url.clone())]
    }

    /// Everything that was exported, as it came.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.taken.lock().expect("free").concat()
    }

    pub(crate) fn spans(&self) -> Vec<Seen> {
        let taken = self.taken.lock().expect("free");
        let requests = taken.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).expect("OTLP"));
        requests.flat_map(|request| request.resource_spans).flat_map(of_process).collect()
    }
}

fn of_process(spans: opentelemetry_proto::tonic::trace::v1::ResourceSpans) -> Vec<Seen> {
    let by = fields(spans.resource.expect("a resource").attributes)["service.instance.id"].clone();
    spans.scope_spans.into_iter().flat_map(|scope| scope.spans).map(|span| seen(&by, span)).collect()
}

fn seen(by: &str, span: Span) -> Seen {
    Seen {
        by: by.to_owned(),
        name: span.name,
        trace: span.trace_id,
        id: span.span_id,
        parent: span.parent_span_id,
        fields: fields(span.attributes),
    }
}

fn fields(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let field = |field: KeyValue| Some((field.key, text(field.value?.value?)));
    attributes.into_iter().filter_map(field).collect()
}
