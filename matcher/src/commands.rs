//! The loop over commands, and the only place that acknowledges them. One user's commands are
//! applied one after the other, those of different users beside each other.

use crate::{Matcher, failures::Failures, numbers, user::Stamp};
use anyhow::{Context as _, anyhow};
use async_nats::jetstream::{AckKind, Message, context::PublishError};
use futures_util::{FutureExt as _, StreamExt as _, future::join_all};
use proto::{
    Command as _, Refusal, Reply, UserCommand, UserId, UserView,
    bus::{BusError, Delivery, bury, now_ms},
    context,
    database::is_away,
    streams, subjects,
};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{error::Elapsed, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// How many commands are worked on beside each other.
const LANES: usize = 64;
/// How many commands wait in front of each.
const LANE_DEPTH: usize = 4;
/// How many commands are asked for at once.
const BATCH: usize = 64;
/// How long a command may take. Shorter than [`streams::ACK_WAIT`], so that one that hangs is handed back before it is
/// delivered again, and its lane goes on.
const APPLYING: Duration = Duration::from_millis(4500);

/// Applies commands until `shutdown`, then finishes those that it has taken.
///
/// # Errors
/// When a worker is gone: the commands of its users would be left lying for ever.
pub(crate) async fn consume(matcher: &Arc<Matcher>, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let lanes = Lanes::open(matcher);
    while !shutdown.is_cancelled() {
        if let Err(error) = pull(matcher, &lanes, shutdown).await {
            if lanes.broken() {
                break;
            }
            tracing::warn!("commands do not arrive; trying again: {error:#}");
            shutdown.run_until_cancelled(tokio::time::sleep(Duration::from_millis(250))).await;
        }
    }
    lanes.close().await
}

async fn pull(matcher: &Matcher, lanes: &Lanes, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let js = &matcher.bus.js;
    // Again each time: a NATS that lost its disk has neither.
    streams::declare(js, matcher.config.nats_replicas).await?;
    let consumer = streams::matcher_consumer(js).await?;
    // What is asked of a NATS node that dies or hangs is lost, and asked again when it would have expired.
    let messages = consumer.stream().expires(streams::PULL_EXPIRES).max_messages_per_batch(BATCH).messages();
    let mut messages = messages.await.context("asking for commands")?;
    while let Some(next) = shutdown.run_until_cancelled(messages.next()).await {
        lanes.put(next.context("the stream has ended")?.context("waiting for commands")?).await?;
    }
    // What has come already would wait for its time to be acknowledged if it were dropped.
    for _ in 0..BATCH {
        let Some(Some(Ok(message))) = messages.next().now_or_never() else { break };
        lanes.put(message).await?;
    }
    Ok(())
}

/// Queues for the workers; each user has one of them.
struct Lanes {
    lanes: Vec<mpsc::Sender<Message>>,
    workers: Vec<JoinHandle<()>>,
}

impl Lanes {
    fn open(matcher: &Arc<Matcher>) -> Self {
        let failures = Arc::<Failures>::default();
        let worker = |_| {
            let (lane, messages) = mpsc::channel(LANE_DEPTH);
            (lane, tokio::spawn(work(matcher.clone(), failures.clone(), messages)))
        };
        let (lanes, workers) = (0..LANES).map(worker).unzip();
        Self { lanes, workers }
    }

    async fn put(&self, message: Message) -> anyhow::Result<()> {
        let user = subjects::last_id::<UserId>(&message.subject).map_or(0, UserId::as_u128);
        let lane = usize::try_from(user % LANES as u128)?;
        self.lanes[lane].send(message).await.context("a worker is gone")
    }

    /// A worker is gone, although nobody has told it to stop.
    fn broken(&self) -> bool {
        self.lanes.iter().any(mpsc::Sender::is_closed)
    }

    async fn close(self) -> anyhow::Result<()> {
        drop(self.lanes);
        for worker in join_all(self.workers).await {
            worker.context("a worker has panicked")?;
        }
        Ok(())
    }
}

async fn work(matcher: Arc<Matcher>, failures: Arc<Failures>, mut messages: mpsc::Receiver<Message>) {
    while let Some(message) = messages.recv().await {
        let span = tracing::info_span!(
            "command",
            bus.subject = %message.subject,
            user.id = subjects::last_id::<UserId>(&message.subject).map(tracing::field::display),
        );
        context::follow(&span, message.headers.as_ref());
        async {
            if let Err(error) = handle(&matcher, &failures, message).await {
                tracing::warn!("a command will be delivered again: {error}");
            }
        }
        .instrument(span)
        .await;
    }
}

async fn handle(matcher: &Matcher, failures: &Failures, message: Message) -> Result<(), BusError> {
    let delivery = match Delivery::<UserCommand>::decode(message) {
        Ok(delivery) => delivery,
        Err((message, reason)) => {
            count("unknown", "buried");
            return bury(&matcher.bus, &message, &reason.to_string()).await;
        }
    };
    let kind = delivery.command.name();
    metrics::counter!(proto::numbers::REDELIVERIES).increment(u64::from(delivery.attempt() > 1));
    match apply(matcher, &delivery).await {
        Ok(reply) => {
            failures.forget(delivery.sequence);
            count(kind, if matches!(reply, Reply::Ok(_)) { "applied" } else { "refused" });
            delivery.reply(&matcher.bus, &reply).await?;
            acknowledge(&delivery, AckKind::Ack).await
        }
        Err(error) if away(&error) || failures.note(delivery.sequence) < streams::MAX_DELIVERIES => {
            count(kind, "failed");
            tracing::warn!(attempt = delivery.attempt(), "a command failed and will be tried again: {error:#}");
            acknowledge(&delivery, AckKind::Nak(Some(backoff(delivery.attempt())))).await
        }
        Err(error) => {
            count(kind, "buried");
            delivery.reply(&matcher.bus, &Reply::<UserView>::Refused(Refusal::Failed)).await?;
            bury(&matcher.bus, &delivery.raw, &format!("{error:#}")).await?;
            failures.forget(delivery.sequence);
            Ok(())
        }
    }
}

/// A panic is a failure too: else one command would stop all matchers, one after the other.
async fn apply(matcher: &Matcher, delivery: &Delivery<UserCommand>) -> anyhow::Result<Reply<UserView>> {
    let applying = AssertUnwindSafe(matcher.apply(&delivery.command, stamp(delivery))).catch_unwind();
    timeout(APPLYING, applying).await?.unwrap_or_else(|_panic| Err(anyhow!("applying it panicked")))
}

async fn acknowledge(delivery: &Delivery<UserCommand>, kind: AckKind) -> Result<(), BusError> {
    let subject = delivery.raw.subject.clone();
    delivery.raw.ack_with(kind).await.map_err(|source| BusError::Publish { subject, source })
}

fn stamp(delivery: &Delivery<UserCommand>) -> Stamp {
    let taken = delivery.raw.info().map_or(0, |info| info.published.unix_timestamp_nanos() / 1_000_000);
    Stamp {
        sequence: delivery.sequence,
        said_at: delivery.at_ms,
        taken_at: i64::try_from(taken).unwrap_or(delivery.at_ms),
        age: delivery.age(),
        now: now_ms(),
    }
}

/// A server is away: that is not the command's fault, and a leave or a disconnect must not be
/// lost to it.
fn away(error: &anyhow::Error) -> bool {
    let mongodb = error.chain().any(|cause| cause.downcast_ref().is_some_and(is_away));
    mongodb || error.chain().any(|cause| cause.is::<BusError>() || cause.is::<PublishError>() || cause.is::<Elapsed>())
}

/// 100 ms, 200 ms, … 1.6 s: most who wait for an answer give up after 5 s.
fn backoff(attempt: i64) -> Duration {
    Duration::from_millis(50 << attempt.clamp(1, 5))
}

fn count(kind: &'static str, outcome: &'static str) {
    metrics::counter!(numbers::COMMANDS, "type" => kind, "outcome" => outcome).increment(1);
}
