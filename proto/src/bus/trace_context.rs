//! Propagation of traces over the bus, by W3C trace context in the headers (`traceparent`, `tracestate`). Without an
//! active trace nothing is written. Only messages of the bus are followed: the trace headers of a client's request are
//! ignored, or strangers could write into the traces of others, grow one without end, and have every request recorded.

use async_nats::HeaderMap;
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::TraceContextExt as _,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

struct Write<'a>(&'a mut HeaderMap);

impl Injector for Write<'_> {
    fn set(&mut self, key: &str, value: String) {
        // A trace without a state says so by having none.
        if !value.is_empty() {
            self.0.insert(key, value);
        }
    }
}

struct Read<'a>(&'a HeaderMap);

impl Extractor for Read<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(async_nats::HeaderValue::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_ref()).collect()
    }
}

/// The headers of a message that is published now: nothing without an active trace.
#[must_use]
pub fn headers() -> Option<HeaderMap> {
    Context::map_current(|context| {
        context.span().span_context().is_valid().then(|| {
            let mut headers = HeaderMap::new();
            TraceContextPropagator::new().inject_context(context, &mut Write(&mut headers));
            headers
        })
    })
}

/// Makes a new span, which was not entered yet, a part of the trace of a message. Without one the span starts a trace.
pub fn follow(span: &Span, headers: Option<&HeaderMap>) {
    if span.is_disabled() {
        return;
    }
    let context =
        headers.map(|headers| TraceContextPropagator::new().extract_with_context(&Context::new(), &Read(headers)));
    // Fails without a layer that exports.
    let _not_exported = span.set_parent(context.unwrap_or_default());
}

/// The ids of the active trace and span, in hexadecimal digits.
pub(crate) fn active() -> Option<(String, String)> {
    Context::map_current(|context| {
        let span = context.span();
        let ids = span.span_context();
        ids.is_valid().then(|| (ids.trace_id().to_string(), ids.span_id().to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[test]
    fn a_span_that_follows_a_message_is_a_part_of_its_trace() {
        let provider = SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let id = |headers: &HeaderMap| headers.get("traceparent").map(|id| id.as_str().to_owned()).expect("a trace");
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            assert!(headers().is_none(), "no trace, no headers");
            let sent = tracing::debug_span!("sends").in_scope(headers).expect("a trace");
            assert!(sent.get("tracestate").is_none(), "no state, no header");
            let receives = tracing::debug_span!("receives");
            follow(&receives, Some(&sent));
            let forwarded = receives.in_scope(headers).expect("a trace");
            let other = tracing::debug_span!("other").in_scope(headers).expect("a trace");
            let (sent, forwarded, other) = (id(&sent), id(&forwarded), id(&other));
            // Version, trace, span: two, 32 and 16 digits.
            assert_eq!(forwarded[..35], sent[..35], "the same trace");
            assert_ne!(forwarded[36..52], sent[36..52], "another span");
            assert_ne!(other[..35], sent[..35], "another trace");
        });
    }

    #[test]
    fn without_a_layer_that_exports_nothing_is_written() {
        assert!(tracing::debug_span!("sends").in_scope(headers).is_none());
        assert!(active().is_none());
    }
}
