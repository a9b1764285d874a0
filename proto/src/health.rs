//! The health port of a service: `/healthz` says that the process runs, `/readyz` that its
//! servers answer, `/metrics` the numbers in Prometheus' text form.

use crate::numbers::{SECONDS, SIZES};
use anyhow::Context as _;
use axum::{Router, http::StatusCode, routing::get};
use futures_util::future::join_all;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

type Answer = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A server that a service cannot work without.
#[derive(Clone)]
pub struct Needed {
    name: &'static str,
    answers: Arc<dyn Fn() -> Answer + Send + Sync>,
}

impl Needed {
    /// By its name for operators, and how to ask whether it answers.
    pub fn new<F: Future<Output = bool> + Send + 'static>(
        name: &'static str,
        answers: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self { name, answers: Arc::new(move || Box::pin(answers())) }
    }

    /// Its name, if it does not answer in time.
    async fn missing(self) -> Option<&'static str> {
        let answered = tokio::time::timeout(PATIENCE, (self.answers)()).await;
        (answered != Ok(true)).then_some(self.name)
    }
}

/// Serves until `shutdown`. Not ready from then on.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(addr: SocketAddr, needed: Vec<Needed>, shutdown: CancellationToken) -> anyhow::Result<()> {
    let metrics = recorder();
    let upkeep = metrics.clone();
    let draining = shutdown.clone();
    let readyz = move || readiness(needed.clone(), draining.is_cancelled());
    let router = Router::new().route("/healthz", get(|| async { "alive" })).route("/readyz", get(readyz)).route(
        "/metrics",
        get(move || async move {
            metrics_process::Collector::default().collect();
            metrics.render()
        }),
    );
    let listener =
        tokio::net::TcpListener::bind(addr).await.with_context(|| format!("binding the health port {addr}"))?;
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the health port is closed");
        }
    });
    tokio::spawn(async move {
        // Folds what histograms have gathered, so that they stay small when nobody scrapes.
        while shutdown.run_until_cancelled(tokio::time::sleep(UPKEEP)).await.is_some() {
            upkeep.run_upkeep();
        }
    });
    Ok(())
}

/// All are asked side by side, and what is missing is named.
async fn readiness(needed: Vec<Needed>, draining: bool) -> (StatusCode, String) {
    let missing: Vec<&str> = join_all(needed.into_iter().map(Needed::missing)).await.into_iter().flatten().collect();
    match &missing[..] {
        [] if draining => (StatusCode::SERVICE_UNAVAILABLE, "draining".to_owned()),
        [] => (StatusCode::OK, "ready".to_owned()),
        missing => (StatusCode::SERVICE_UNAVAILABLE, format!("no answer from {}", missing.join(", "))),
    }
}

/// How long a server may take to answer: below the time-out of a usual probe.
const PATIENCE: Duration = Duration::from_secs(1);
const UPKEEP: Duration = Duration::from_secs(5);

// One recorder for a process, also when tests run several services in it.
pub(crate) fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let recorder = builder().build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another recorder takes the metrics of this process");
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
    use crate::numbers;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_answer_in_a_second_is_named_and_the_others_are_not() {
        let answers = |name, answer: bool| Needed::new(name, move || async move { answer });
        let hangs = Needed::new("hangs", std::future::pending);
        let ready = |needed: &[&Needed], draining| readiness(needed.iter().map(|n| (*n).clone()).collect(), draining);
        let (good, bad) = (answers("good", true), answers("bad", false));
        let started = tokio::time::Instant::now();
        let unready = |said: &str| (StatusCode::SERVICE_UNAVAILABLE, said.to_owned());
        assert_eq!(ready(&[&hangs, &good, &bad, &hangs], false).await, unready("no answer from hangs, bad, hangs"));
        assert_eq!(started.elapsed(), PATIENCE, "side by side");
        assert_eq!(ready(&[&good], false).await, (StatusCode::OK, "ready".to_owned()));
        assert_eq!(ready(&[&good], true).await, unready("draining"));
    }

    #[test]
    fn what_never_happened_is_there_and_described_with_bounds_for_histograms() {
        numbers::start("test");
        numbers::counter_by(("talk_test_total", "Counted here"), "kind", ["one", "other"]);
        numbers::histogram_by(("talk_test_seconds", "Measured here"), "kind", ["one"]);
        numbers::histograms(&[("talk_test_size", "Measured here too")]);
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
