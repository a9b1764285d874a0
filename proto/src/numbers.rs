//! The metrics that every service has. Each crate names its own in a file of this name. Whatever is
//! counted is there from the start, at zero: what never happened is another thing than what is not known.

use crate::health;
use metrics::{SharedString, describe_counter, describe_gauge, describe_histogram};

/// The version that runs.
pub const BUILD_INFO: &str = "talk_build_info";
/// What went to the dead letters.
pub const BURIED: &str = "talk_dead_letters_total";
/// What was delivered more than once.
pub const REDELIVERIES: &str = "talk_redeliveries_total";
/// How often a lease lapsed, or was taken by another process.
pub const LEASE_LOSSES: &str = "talk_lease_losses_total";
/// How often a subscription was too slow.
pub const SLOW_CONSUMERS: &str = "talk_slow_consumers_total";
/// How often the connection to NATS broke.
pub const NATS_DISCONNECTS: &str = "talk_nats_disconnects_total";

/// Upper bounds for durations, in seconds: a write to the journal takes a millisecond, somebody who
/// asks gives up after 5 s, somebody who waits is moved after 10 s.
pub(crate) const SECONDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Upper bounds for sizes.
pub(crate) const SIZES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// A metric's name, and what it says.
pub type Described = (&'static str, &'static str);

/// Begins to count in this process.
pub fn start(service: &'static str) {
    health::recorder();
    describe_gauge!(BUILD_INFO, "The version that runs; always 1");
    metrics::gauge!(BUILD_INFO, "service" => service, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    counters(&[
        (BURIED, "Commands that this process put among the dead letters"),
        (REDELIVERIES, "Commands that came to this process not for the first time"),
        (LEASE_LOSSES, "Times that this process's lease lapsed or was taken by another"),
        (SLOW_CONSUMERS, "Times that a subscription of this process was too slow and lost events"),
        (NATS_DISCONNECTS, "Times that the connection to NATS broke"),
    ]);
    metrics_process::Collector::default().describe();
}

/// Describes counters without labels, and starts them.
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
