//! Streams, consumers and the bucket of leases are declared here. The matcher creates the streams and the bucket, each
//! service its consumers.

use crate::{bus::subjects, timing};
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
/// Which gateways are alive and which matcher is the leader: keys with a time to live.
pub const LEASES: &str = "talk_leases";
/// The stream behind the bucket of leases.
pub const LEASES_STREAM: &str = "KV_talk_leases";

/// The durable consumer that all matchers share.
pub const MATCHER: &str = "matcher";
/// The priority group of a partition's consumer: one chat-store at a time is pinned to it.
pub const PINNED_GROUP: &str = "active";
/// How many commands all consumers of a stream may have in progress together. A consumer takes what it is given at
/// once and signals progress on all of it, so that this bounds its memory.
const MAX_IN_PROGRESS: i64 = 256;
/// How long an operator can look at a dead letter.
const DEAD_MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Creates or updates all streams and the bucket. Any number of processes may call it at once.
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

/// Checks that streams exist.
///
/// # Errors
/// When one of them does not, or the server does not reply.
pub async fn exist(js: &Context, names: &[&str]) -> anyhow::Result<()> {
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
        // A full stream refuses new commands: the gateway then replies 503, and nothing is lost.
        discard: DiscardPolicy::New,
        max_bytes: 1 << 30,
        max_age: timing::COMMAND_MAX_AGE,
        duplicate_window: timing::DUPLICATE_WINDOW,
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
        // How long the server keeps the marker of a key that has lapsed. It also turns on times to live.
        limit_markers: Some(Duration::from_secs(60)),
        num_replicas: replicas,
        ..kv::Config::default()
    }
}

/// The consumer that all matchers share: any of them receives any command.
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
        priority_timeout: timing::PINNED_TIMEOUT,
        // What a dead chat-store had in progress is delivered again as soon as another is pinned, while its authors
        // still wait for the reply.
        ack_wait: timing::PINNED_TIMEOUT,
        max_ack_pending: 1000,
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
        ack_wait: timing::ACK_WAIT,
        max_ack_pending: MAX_IN_PROGRESS,
        ..pull::Config::default()
    }
}

async fn consumer(js: &Context, stream: &str, name: &str, config: pull::Config) -> anyhow::Result<PullConsumer> {
    js.create_consumer_on_stream(config, stream).await.with_context(|| format!("declaring the consumer {name}"))
}
