//! Answers operators who is on this gateway: a NATS micro service named `gateway`, until the
//! gateway has said goodbye to everybody.

use crate::state::Shared;
use anyhow::Context as _;
use async_nats::service::{Request, Service, endpoint::Endpoint};
use futures_util::StreamExt as _;
use proto::{micro, subjects};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// The service, listening.
pub(crate) struct Reads {
    service: Service,
    endpoint: Endpoint,
}

/// Starts to listen.
pub(crate) async fn open(app: &Shared) -> anyhow::Result<Reads> {
    let here = app.clone();
    let builder = micro::service(&app.bus, &app.id, "Speaks REST and Socket.IO with people")
        .stats_handler(move |_endpoint, _stats| json!(here.on_gateway()));
    let service = builder.start("gateway", env!("CARGO_PKG_VERSION")).await;
    let service = service.map_err(anyhow::Error::from_boxed).context("starting the service")?;
    let endpoint = service.endpoint_builder().name("people").add(subjects::read_gateway(&app.id)).await;
    let endpoint = endpoint.map_err(anyhow::Error::from_boxed).context("answering questions")?;
    Ok(Reads { service, endpoint })
}

impl Reads {
    /// Answers until then.
    pub(crate) async fn serve(self, app: Shared, closing: CancellationToken) {
        let questions = self.endpoint.take_until(closing.cancelled_owned());
        questions.for_each(|question| answer(&app, question)).await;
        if let Err(error) = self.service.stop().await {
            tracing::debug!(%error, "the service was gone already");
        }
    }
}

async fn answer(app: &Shared, question: Request) {
    micro::answer(&question, Ok(app.on_gateway())).await;
}
