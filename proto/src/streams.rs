//! Streams, consumers and the bucket of leases: declared here. The matcher makes the streams and the bucket, each
//! service its consumers.

use crate::subjects;
use anyhow::Context as _;
use async_nats::jetstream::{
    Context,
    consumer::{AckPolicy, PriorityPolicy, PullConsumer, pull},
    kv,
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};
use std::time::Duration;

/// Commands for the matcher.
pub const USERS: &str = "TALK_USERS";
/// Commands for the chat-store.
pub const MESSAGES: &str = "TALK_MESSAGES";
/// Commands that could not be applied.
pub const DEAD: &str = "TALK_DEAD";
/// Who lives and who ticks: keys with a time to live.
pub const LEASES: &str = "talk_leases";
/// The stream behind the bucket of leases.
pub const LEASES_STREAM: &str = "KV_talk_leases";

/// The durable consumer that all matchers share.
pub const MATCHER: &str = "matcher";
/// The priority group of a partition's consumer: one chat-store at a time is pinned to it.
pub const PINNED_GROUP: &str = "active";
/// How long a silent chat-store stays pinned to a partition. Measured fail-over at 3 s: 2.5 s.
pub const PINNED_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one pull request lasts. One that a dying node took with it is missed for this long: by default 30 s.
/// Of a pinned chat-store it has to stay well below [`PINNED_TIMEOUT`], or an idle partition changes hands.
pub const PULL_EXPIRES: Duration = Duration::from_secs(1);

/// How long a command may be worked on before it is delivered again.
pub const ACK_WAIT: Duration = Duration::from_secs(5);
/// After so many deliveries a failing command goes to the dead letters.
pub const MAX_DELIVERIES: i64 = 5;

/// A command that nobody took for so long is of no use: its client has given up long since.
const COMMAND_MAX_AGE: Duration = Duration::from_secs(3600);
/// How long the server refuses a second publication of one command.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// How long an operator can look at a dead letter.
const DEAD_MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Makes or updates all streams and the bucket. Any number of processes may call it at once.
///
/// # Errors
/// When the server refuses, for instance because it has fewer nodes than `replicas`.
pub async fn declare(js: &Context, replicas: usize) -> anyhow::Result<()> {
    for config in [
        work_queue(USERS, &subjects::USER_COMMANDS, replicas),
        work_queue(MESSAGES, &subjects::ROOM_COMMANDS, replicas),
        dead_letters(replicas),
    ] {
        let name = config.name.clone();
        js.create_or_update_stream(config).await.with_context(|| format!("declaring the stream {name}"))?;
    }
    js.create_or_update_key_value(leases(replicas)).await.context("declaring the bucket of leases")?;
    Ok(())
}

/// Looks whether streams are there.
///
/// # Errors
/// When one of them is not, or the server does not answer.
pub async fn present(js: &Context, names: &[&str]) -> anyhow::Result<()> {
    for name in names {
        js.get_stream(name).await.with_context(|| format!("opening the stream {name}"))?;
    }
    Ok(())
}

fn work_queue(name: &str, subjects: &[&str], replicas: usize) -> Config {
    Config {
        name: name.to_owned(),
        subjects: subjects.iter().map(ToString::to_string).collect(),
        retention: RetentionPolicy::WorkQueue,
        // A full stream refuses the new: the gateway then says 503, and nothing is lost.
        discard: DiscardPolicy::New,
        max_bytes: 1 << 30,
        max_age: COMMAND_MAX_AGE,
        duplicate_window: DUPLICATE_WINDOW,
        storage: StorageType::File,
        num_replicas: replicas,
        allow_direct: true,
        ..Config::default()
    }
}

fn dead_letters(replicas: usize) -> Config {
    Config {
        name: DEAD.to_owned(),
        subjects: vec![subjects::DEAD_LETTERS.to_owned()],
        max_age: DEAD_MAX_AGE,
        max_bytes: 64 << 20,
        storage: StorageType::File,
        num_replicas: replicas,
        allow_direct: true,
        ..Config::default()
    }
}

fn leases(replicas: usize) -> kv::Config {
    kv::Config {
        bucket: LEASES.to_owned(),
        history: 1,
        // How long the server remembers that a key has lapsed. It also turns on times to live.
        limit_markers: Some(Duration::from_secs(60)),
        num_replicas: replicas,
        ..kv::Config::default()
    }
}

/// The consumer that all matchers share: any of them takes any command.
///
/// # Errors
/// When the server refuses.
pub async fn matcher_consumer(js: &Context) -> anyhow::Result<PullConsumer> {
    let config = pull::Config { durable_name: Some(MATCHER.to_owned()), ..acknowledged() };
    consumer(js, USERS, MATCHER, config).await
}

/// The consumer of a partition: one chat-store at a time is pinned to it.
///
/// # Errors
/// When the server refuses.
pub async fn partition_consumer(js: &Context, partition: u32) -> anyhow::Result<PullConsumer> {
    let name = partition_consumer_name(partition);
    let config = pull::Config {
        durable_name: Some(name.clone()),
        filter_subjects: subjects::partition_filter(partition),
        priority_policy: PriorityPolicy::PinnedClient,
        priority_groups: vec![PINNED_GROUP.to_owned()],
        priority_timeout: PINNED_TIMEOUT,
        // What a dead chat-store had in hand is delivered again as soon as another is pinned,
        // while its authors still wait for the answer.
        ack_wait: PINNED_TIMEOUT,
        ..acknowledged()
    };
    consumer(js, MESSAGES, &name, config).await
}

/// The name of a partition's consumer.
#[must_use]
pub fn partition_consumer_name(partition: u32) -> String {
    format!("chat-store-{partition}")
}

fn acknowledged() -> pull::Config {
    pull::Config {
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_ack_pending: 1000,
        ..pull::Config::default()
    }
}

async fn consumer(js: &Context, stream: &str, name: &str, config: pull::Config) -> anyhow::Result<PullConsumer> {
    js.create_consumer_on_stream(config, stream).await.with_context(|| format!("declaring the consumer {name}"))
}
