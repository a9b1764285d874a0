//! Consumes the commands about users, and alone acknowledges them. Everything that NATS delivers is taken at once and
//! signalled to be in progress, so that none of it is delivered to another replica meanwhile; how much that can be is
//! bounded by the consumer. Commands of one user may be applied concurrently: stamps, sequences and versions decide what
//! they make of the user, not their order.

use crate::{
    commands::handlers,
    context::Context,
    metrics::{COMMAND_OUTCOMES, Outcome},
};
use anyhow::{Context as _, anyhow};
use async_nats::jetstream::{AckKind, Message};
use futures_util::{FutureExt as _, StreamExt as _};
use proto::{
    Command as _, Refusal, Reply, UserCommand, UserId, UserView,
    bus::{BusError, Delivery, dead_letter, retry},
    metrics::REDELIVERIES,
    streams, subjects, timing, trace_context,
};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

/// How many commands are applied at once: more do not make MongoDB's journal faster.
const CONCURRENCY: usize = 64;
/// How many commands are requested at once.
const BATCH: usize = 64;

/// The consumer of one matcher.
pub(crate) struct Consumer {
    context: Arc<Context>,
    shutdown: CancellationToken,
    permits: Arc<Semaphore>,
    in_progress: TaskTracker,
}

impl Consumer {
    pub(crate) fn new(context: Arc<Context>, shutdown: CancellationToken) -> Self {
        let permits = Arc::new(Semaphore::new(CONCURRENCY));
        Self { context, shutdown, permits, in_progress: TaskTracker::new() }
    }

    /// Consumes until the shutdown, then finishes what is in progress.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut delays = retry::delays();
        while !self.shutdown.is_cancelled() {
            if let Err(error) = self.pull().await {
                tracing::warn!("commands unavailable: {error:#}");
                let delay = delays.next().unwrap_or(Duration::from_secs(1));
                self.shutdown.run_until_cancelled(tokio::time::sleep(delay)).await;
            } else {
                delays = retry::delays();
            }
        }
        self.in_progress.close();
        self.in_progress.wait().await;
        Ok(())
    }

    async fn pull(&self) -> anyhow::Result<()> {
        let js = &self.context.bus.js;
        // Again each time: a NATS that lost its disk has neither.
        streams::declare(js, self.context.config.nats_replicas).await?;
        let consumer = streams::matcher_consumer(js).await?;
        let messages = consumer.stream().expires(timing::PULL_EXPIRES).max_messages_per_batch(BATCH).messages();
        let mut messages = messages.await.context("requesting commands")?;
        while let Some(next) = self.shutdown.run_until_cancelled(messages.next()).await {
            self.start(next.context("the stream has ended")?.context("receiving commands")?);
        }
        // What was delivered already would have to wait for its time to be acknowledged.
        while let Some(Some(Ok(message))) = messages.next().now_or_never() {
            self.start(message);
        }
        Ok(())
    }

    fn start(&self, message: Message) {
        let user = subjects::last_id::<UserId>(&message.subject).map(tracing::field::display);
        let span = tracing::info_span!("command", bus.subject = %message.subject, user.id = user);
        trace_context::follow(&span, message.headers.as_ref());
        let (context, permits, shutdown) = (self.context.clone(), self.permits.clone(), self.shutdown.clone());
        let work = async move {
            let handling = async {
                let _permit = permits.acquire().await;
                handle(&context, &shutdown, message.clone()).await
            };
            if let Err(error) = retry::in_progress(&[&message], handling).await {
                tracing::warn!("command not finished, to be delivered again: {error}");
            }
        };
        self.in_progress.spawn(work.instrument(span));
    }
}

/// From its delivery to its acknowledgement.
async fn handle(context: &Context, shutdown: &CancellationToken, message: Message) -> Result<(), BusError> {
    let delivery = match Delivery::<UserCommand>::decode(message) {
        Ok(delivery) => delivery,
        Err((message, reason)) => {
            count("unknown", Outcome::DeadLettered);
            return dead_letter(&context.bus, &message, &reason.to_string()).await;
        }
    };
    let kind = delivery.command.name();
    metrics::counter!(REDELIVERIES).increment(u64::from(delivery.attempt() > 1));
    match until_applied(context, shutdown, &delivery).await {
        Applied::Result(reply) => {
            count(kind, if matches!(reply, Reply::Ok(_)) { Outcome::Applied } else { Outcome::Refused });
            delivery.reply(&context.bus, &reply).await?;
            acknowledge(&delivery, AckKind::Ack).await
        }
        Applied::HandedBack => acknowledge(&delivery, AckKind::Nak(None)).await,
        Applied::GivenUp(error) => {
            count(kind, Outcome::DeadLettered);
            delivery.reply(&context.bus, &Reply::<UserView>::Refused(Refusal::Failed)).await?;
            dead_letter(&context.bus, &delivery.raw, &format!("{error:#}")).await
        }
    }
}

enum Applied {
    Result(Reply<UserView>),
    /// This process stops; another replica applies it.
    HandedBack,
    /// It failed again and again by its own fault.
    GivenUp(anyhow::Error),
}

/// Retries in place, by the policy of [`retry`].
async fn until_applied(context: &Context, shutdown: &CancellationToken, delivery: &Delivery<UserCommand>) -> Applied {
    let (mut own_failures, mut delays, mut logged) = (0, retry::delays(), false);
    loop {
        let error = match attempt(context, delivery).await {
            Ok(reply) => return Applied::Result(reply),
            Err(error) => error,
        };
        count(delivery.command.name(), Outcome::Failed);
        own_failures += u32::from(!retry::is_transient(&error));
        if own_failures >= retry::MAX_FAILURES {
            return Applied::GivenUp(error);
        }
        if !std::mem::replace(&mut logged, true) {
            tracing::warn!("command retried: {error:#}");
        }
        let pause = tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(1)));
        if shutdown.run_until_cancelled(pause).await.is_none() {
            return Applied::HandedBack;
        }
    }
}

/// A panic is a failure too: else one command would stop all matchers, one after the other.
async fn attempt(context: &Context, delivery: &Delivery<UserCommand>) -> anyhow::Result<Reply<UserView>> {
    let applying = AssertUnwindSafe(handlers::apply(context, delivery)).catch_unwind();
    timeout(timing::APPLY_TIMEOUT, applying).await?.unwrap_or_else(|_panic| Err(anyhow!("panicked")))
}

async fn acknowledge(delivery: &Delivery<UserCommand>, kind: AckKind) -> Result<(), BusError> {
    let subject = delivery.raw.subject.clone();
    delivery.raw.ack_with(kind).await.map_err(|source| BusError::Publish { subject, source })
}

fn count(kind: &'static str, outcome: Outcome) {
    metrics::counter!(COMMAND_OUTCOMES, "type" => kind, "outcome" => outcome.name()).increment(1);
}
