//! The health port of a service: `/healthz` says that the process runs, `/readyz` that its
//! servers answer, `/metrics` the numbers in Prometheus' text form.

use crate::numbers::{SECONDS, SIZES};
use anyhow::Context as _;
use axum::{Router, http::StatusCode, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{future::Future, net::SocketAddr, pin::Pin, sync::OnceLock, time::Duration};
use tokio_util::sync::CancellationToken;

/// Answers whether the service can do its work; the error says what is missing.
pub type Ready = std::sync::Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// Serves until `shutdown`. Not ready from then on.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(addr: SocketAddr, ready: Ready, shutdown: CancellationToken) -> anyhow::Result<()> {
    let metrics = recorder();
    let upkeep = metrics.clone();
    let draining = shutdown.clone();
    let readyz = move || {
        let (check, draining) = (ready(), draining.is_cancelled());
        async move {
            let late = || Err("a server takes too long to answer".to_owned());
            match tokio::time::timeout(PATIENCE, check).await.unwrap_or_else(|_| late()) {
                Ok(()) if draining => (StatusCode::SERVICE_UNAVAILABLE, "draining".to_owned()),
                Ok(()) => (StatusCode::OK, "ready".to_owned()),
                Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, missing),
            }
        }
    };
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

/// How long a check may take: well below the time-out of a usual probe.
const PATIENCE: Duration = Duration::from_millis(1500);
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
