//! Answers where somebody stands: a NATS micro service named `matcher`, shared by all replicas.

use crate::Matcher;
use anyhow::Context as _;
use async_nats::service::{Request, ServiceExt as _, error::Error as ServiceError};
use futures_util::StreamExt as _;
use proto::{Reply, UserView, subjects};
use tokio_util::sync::CancellationToken;

/// How many questions are answered beside each other.
const IN_FLIGHT: usize = 64;

/// Answers until `shutdown`.
pub(crate) async fn serve(matcher: &Matcher, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let builder = matcher.bus.client.service_builder().description("users and rooms");
    let service = builder.start("matcher", env!("CARGO_PKG_VERSION")).await.map_err(anyhow::Error::from_boxed)?;
    let questions = service.endpoint_builder().name("user").add(subjects::READ_USER).await;
    let questions = questions.map_err(anyhow::Error::from_boxed).context("answering questions")?;
    questions
        .take_until(shutdown.cancelled())
        .for_each_concurrent(IN_FLIGHT, |question| async move {
            if let Err(error) = answer(matcher, &question).await {
                tracing::warn!(bus.subject = %question.message.subject, "a question was not answered: {error:#}");
            }
        })
        .await;
    service.stop().await.map_err(anyhow::Error::from_boxed)
}

async fn answer(matcher: &Matcher, question: &Request) -> anyhow::Result<()> {
    let view = async {
        let user = subjects::last_id(&question.message.subject).context("no user in the subject")?;
        let user = matcher.users.get(user).await?;
        anyhow::Ok(serde_json::to_vec(&Reply::<UserView>::Ok(matcher.view(&user).await?))?)
    };
    let answer = match view.await {
        Ok(view) => Ok(view.into()),
        Err(error) => {
            question.respond(Err(ServiceError { code: 503, status: "not now".to_owned() })).await?;
            return Err(error);
        }
    };
    Ok(question.respond(answer).await?)
}
