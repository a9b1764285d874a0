//! Answers where somebody stands, and for operators who waits: a NATS micro service named
//! `matcher`, whose questions all replicas share.

use crate::Matcher;
use anyhow::Context as _;
use async_nats::service::{Request, Service, endpoint::Endpoint};
use futures_util::StreamExt as _;
use proto::{
    Queue, Reply, UserView,
    bus::now_ms,
    lease, micro,
    operators::{Depth, WhoWaits},
    subjects,
};
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// How many questions are answered beside each other.
const IN_FLIGHT: usize = 64;

/// How long an answer may take: whoever asked waits no longer.
const ANSWERING: Duration = Duration::from_secs(5);

/// The questions to this replica.
pub(crate) struct Reads {
    service: Service,
    user: Endpoint,
    waiting: Endpoint,
}

/// Registers the micro service: from then on questions come here.
pub(crate) async fn open(matcher: &Matcher) -> anyhow::Result<Reads> {
    let ticking = matcher.wake.ticking();
    let builder = micro::service(&matcher.bus, &matcher.id, "Pairs people who wait; owns users and rooms")
        .stats_handler(move |_endpoint, _stats| json!({ "ticking": ticking() }));
    let service = builder.start("matcher", env!("CARGO_PKG_VERSION")).await.map_err(anyhow::Error::from_boxed)?;
    let user = endpoint(&service, "user", subjects::READ_USER).await?;
    let waiting = endpoint(&service, "waiting", subjects::READ_WAITING).await?;
    Ok(Reads { service, user, waiting })
}

impl Reads {
    /// Answers until `shutdown`.
    pub(crate) async fn serve(self, matcher: &Matcher, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let users = answer_all(matcher, self.user, IN_FLIGHT, shutdown);
        let waits = answer_all(matcher, self.waiting, 1, shutdown);
        tokio::join!(users, waits);
        self.service.stop().await.map_err(anyhow::Error::from_boxed)
    }
}

async fn endpoint(service: &Service, name: &str, subject: &str) -> anyhow::Result<Endpoint> {
    let questions = service.endpoint_builder().name(name).add(subject).await;
    questions.map_err(anyhow::Error::from_boxed).context("answering questions")
}

async fn answer_all(matcher: &Matcher, questions: Endpoint, in_flight: usize, shutdown: &CancellationToken) {
    let questions = questions.take_until(shutdown.cancelled());
    let answering = |question: Request| {
        let span = micro::span(&question);
        answer(matcher, question).instrument(span)
    };
    questions.for_each_concurrent(in_flight, answering).await;
}

async fn answer(matcher: &Matcher, question: Request) {
    match question.message.subject.as_str() {
        subjects::READ_WAITING => micro::answer(&question, in_time(who_waits(matcher)).await).await,
        _ => micro::answer(&question, in_time(stands(matcher, &question)).await).await,
    }
}

async fn in_time<T>(answer: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(ANSWERING, answer).await?
}

async fn stands(matcher: &Matcher, question: &Request) -> anyhow::Result<Reply<UserView>> {
    let user = subjects::last_id(&question.message.subject).context("no user in the subject")?;
    let user = matcher.users.get(user).await?;
    Ok(Reply::Ok(matcher.view(&user).await?))
}

async fn who_waits(matcher: &Matcher) -> anyhow::Result<WhoWaits> {
    Ok(WhoWaits {
        vent: depth(matcher, Queue::Vent).await?,
        listen: depth(matcher, Queue::Listen).await?,
        talk: depth(matcher, Queue::Talk).await?,
        ticking: lease::holder(&matcher.bus, lease::TICK).await?,
    })
}

async fn depth(matcher: &Matcher, queue: Queue) -> anyhow::Result<Depth> {
    let (waiting, first) = matcher.users.waiting_in(queue).await?;
    let oldest_ms = first.map_or(0, |since| u64::try_from(now_ms() - since).unwrap_or(0));
    Ok(Depth { waiting, oldest_ms })
}
