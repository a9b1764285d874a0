//! The health port of a service: `/healthz` shows that the process runs, `/readyz` that its dependencies respond,
//! `/metrics` the metrics in Prometheus' text form.

use crate::process::metrics::recorder;
use anyhow::Context as _;
use axum::{Router, http::StatusCode, routing::get};
use futures_util::future::join_all;
use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long a dependency may take to respond: less than the time-out of a usual probe.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often histograms aggregate their samples, so that they stay small when nothing scrapes them.
const UPKEEP: Duration = Duration::from_secs(5);

type Responding = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A server that a service depends on.
#[derive(Clone)]
pub struct Dependency {
    name: &'static str,
    responds: Arc<dyn Fn() -> Responding + Send + Sync>,
}

impl Dependency {
    /// With its name for operators and a probe that is true if it responds.
    pub fn new<F: Future<Output = bool> + Send + 'static>(
        name: &'static str,
        responds: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self { name, responds: Arc::new(move || Box::pin(responds())) }
    }

    /// Its name, if it does not respond in time.
    async fn unavailable(self) -> Option<&'static str> {
        let responded = tokio::time::timeout(RESPONSE_TIMEOUT, (self.responds)()).await;
        (responded != Ok(true)).then_some(self.name)
    }
}

/// The health port, bound.
pub struct Health {
    listener: TcpListener,
    router: Router,
}

impl Health {
    /// Binds the port. Not ready once `draining` is cancelled.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(
        addr: SocketAddr,
        dependencies: Vec<Dependency>,
        draining: CancellationToken,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(addr).await.with_context(|| format!("binding the health port {addr}"))?;
        let readyz = move || readiness(dependencies.clone(), draining.is_cancelled());
        let metrics = || async {
            metrics_process::Collector::default().collect();
            recorder().render()
        };
        let router = Router::new()
            .route("/healthz", get(|| async { "alive" }))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics));
        Ok(Self { listener, router })
    }

    /// Serves for as long as the process runs.
    ///
    /// # Errors
    /// When the port fails.
    pub async fn serve(self) -> anyhow::Result<()> {
        let upkeep = async {
            loop {
                tokio::time::sleep(UPKEEP).await;
                recorder().run_upkeep();
            }
        };
        tokio::select! {
            served = std::future::IntoFuture::into_future(axum::serve(self.listener, self.router)) => {
                served.context("serving the health port")
            }
            () = upkeep => Ok(()),
        }
    }
}

/// All dependencies are probed concurrently, and those that do not respond are named.
async fn readiness(dependencies: Vec<Dependency>, draining: bool) -> (StatusCode, String) {
    let probes = dependencies.into_iter().map(Dependency::unavailable);
    let unavailable: Vec<&str> = join_all(probes).await.into_iter().flatten().collect();
    match &unavailable[..] {
        [] if draining => (StatusCode::SERVICE_UNAVAILABLE, "draining".to_owned()),
        [] => (StatusCode::OK, "ready".to_owned()),
        names => (StatusCode::SERVICE_UNAVAILABLE, format!("unavailable: {}", names.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_dependency_that_does_not_respond_within_a_second_is_named_and_the_others_are_not() {
        let responds = |name, response: bool| Dependency::new(name, move || async move { response });
        let hangs = Dependency::new("hangs", std::future::pending);
        let ready = |all: &[&Dependency], draining| readiness(all.iter().map(|one| (*one).clone()).collect(), draining);
        let (good, bad) = (responds("good", true), responds("bad", false));
        let started = tokio::time::Instant::now();
        let unready = |text: &str| (StatusCode::SERVICE_UNAVAILABLE, text.to_owned());
        assert_eq!(ready(&[&hangs, &good, &bad, &hangs], false).await, unready("unavailable: hangs, bad, hangs"));
        assert_eq!(started.elapsed(), RESPONSE_TIMEOUT, "concurrently");
        assert_eq!(ready(&[&good], false).await, (StatusCode::OK, "ready".to_owned()));
        assert_eq!(ready(&[&good], true).await, unready("draining"));
    }
}
