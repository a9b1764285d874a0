//! The metrics that every service has. Each crate names its own in a file of this name. Every metric exists from the
//! start, at zero: never happened is different from unknown.

use metrics::{SharedString, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

/// The version that runs.
pub const BUILD_INFO: &str = "talk_build_info";
/// Commands that were dead-lettered.
pub const DEAD_LETTERS: &str = "talk_dead_letters_total";
/// Commands that were delivered more than once.
pub const REDELIVERIES: &str = "talk_redeliveries_total";
/// How often a lease lapsed, or was taken by another process.
pub const LEASE_LOSSES: &str = "talk_lease_losses_total";
/// How often a subscription was too slow and lost messages.
pub const SLOW_CONSUMERS: &str = "talk_slow_consumers_total";
/// How often the connection to NATS was lost.
pub const NATS_DISCONNECTS: &str = "talk_nats_disconnects_total";

/// Upper bounds for durations, in seconds: a journaled write takes a millisecond, a client waits for 5 s, and a user
/// is moved to talk after 10 s.
const SECONDS: [f64; 15] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Upper bounds for sizes.
const SIZES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// A metric's name and description.
pub type Described = (&'static str, &'static str);

/// Starts the recorder of this process.
pub fn start(service: &'static str) {
    recorder();
    describe_gauge!(BUILD_INFO, "The version that runs; always 1");
    metrics::gauge!(BUILD_INFO, "service" => service, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    counters(&[
        (DEAD_LETTERS, "Commands that this process dead-lettered"),
        (REDELIVERIES, "Commands that were delivered to this process and not for the first time"),
        (LEASE_LOSSES, "Times that this process's lease lapsed or was taken by another process"),
        (SLOW_CONSUMERS, "Times that a subscription of this process was too slow and lost messages"),
        (NATS_DISCONNECTS, "Times that the connection to NATS was lost"),
    ]);
    metrics_process::Collector::default().describe();
}

/// Describes counters without labels, and sets them to zero.
pub fn counters(all: &[Described]) {
    for (name, text) in all {
        describe_counter!(*name, *text);
        metrics::counter!(*name).increment(0);
    }
}

/// Describes gauges without labels, and starts them.
pub fn gauges(all: &[Described]) {
    for (name, text) in all {
        describe_gauge!(*name, *text);
        metrics::gauge!(*name).increment(0.0);
    }
}

/// Describes histograms without labels, and starts them.
pub fn histograms(all: &[Described]) {
    for (name, text) in all {
        describe_histogram!(*name, *text);
        drop(metrics::histogram!(*name));
    }
}

/// Describes a counter with one label, and starts it for each value.
pub fn counter_by<V: Into<SharedString>>(
    described: Described,
    label: &'static str,
    values: impl IntoIterator<Item = V>,
) {
    describe_counter!(described.0, described.1);
    for value in values {
        metrics::counter!(described.0, label => value).increment(0);
    }
}

/// Describes a gauge with one label, and starts it for each value.
pub fn gauge_by<V: Into<SharedString>>(described: Described, label: &'static str, values: impl IntoIterator<Item = V>) {
    describe_gauge!(described.0, described.1);
    for value in values {
        metrics::gauge!(described.0, label => value).increment(0.0);
    }
}

/// Describes a histogram with one label, and starts it for each value.
pub fn histogram_by<V: Into<SharedString>>(
    described: Described,
    label: &'static str,
    values: impl IntoIterator<Item = V>,
) {
    describe_histogram!(described.0, described.1);
    for value in values {
        drop(metrics::histogram!(described.0, label => value));
    }
}

// One recorder for a process, even if tests run several services in it.
pub(super) fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let recorder = builder().build_recorder();
            let handle = recorder.handle();
            if ::metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("metrics recorder already installed");
            }
            handle
        })
        .clone()
}

/// Histograms, not summaries: those of several processes can be added up.
#[expect(clippy::expect_used, reason = "only a list of bounds without bounds is refused")]
fn builder() -> PrometheusBuilder {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &SIZES))
        .expect("bounds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_exposed_with_its_description_before_anything_happened() {
        start("test");
        counter_by(("talk_test_total", "Counted here"), "kind", ["one", "other"]);
        histogram_by(("talk_test_seconds", "Measured here"), "kind", ["one"]);
        histograms(&[("talk_test_size", "Measured here too")]);
        let text = recorder().render();
        for line in [
            "# HELP talk_test_total Counted here",
            r#"talk_test_total{kind="other"} 0"#,
            "# TYPE talk_test_seconds histogram",
            r#"talk_test_seconds_bucket{kind="one",le="0.001"} 0"#,
            r#"talk_test_size_bucket{le="1000"} 0"#,
            "talk_test_size_count 0",
            "talk_dead_letters_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(text.contains(r#"talk_build_info{service="test""#), "{text}");
    }
}
