//! Connecting to NATS: where it is, as which user, whether over TLS; and waiting for the streams.

use crate::{
    bus::{client::Bus, retry, streams},
    process::metrics,
};
use anyhow::{Context as _, ensure};
use async_nats::{ConnectOptions, Event};
use clap::Args;
use std::{fmt, fs::File, str::FromStr, time::Duration};

/// Where NATS is, and as which user to connect.
#[derive(Args, Clone, Debug)]
pub struct NatsConfig {
    /// Where NATS is; several addresses of one cluster separated by commas.
    #[arg(long, env = "NATS_URL", default_value = "nats://127.0.0.1:4222", hide_env_values = true)]
    pub nats_url: String,
    /// The user of NATS, where it wants one. Replies arrive below `_INBOX_<user>`, so that no other user needs
    /// permission to subscribe to them.
    #[arg(long, env = "NATS_USER")]
    pub nats_user: Option<String>,
    /// The password of that user.
    #[arg(long, env = "NATS_PASSWORD", hide_env_values = true)]
    pub nats_password: Option<Password>,
    /// PEM file of the authority that signed the certificates of the NATS servers. With it, a connection without TLS is refused.
    #[arg(long, env = "NATS_CA_FILE")]
    pub nats_ca_file: Option<String>,
}

impl NatsConfig {
    /// The addresses to try.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.nats_url.split(',').map(str::to_owned).collect()
    }

    /// How to connect to them.
    ///
    /// # Errors
    /// When there is a user without a password or the other way round, or the file cannot be read.
    pub fn options(&self) -> anyhow::Result<ConnectOptions> {
        let mut options = ConnectOptions::new();
        // Set and empty is not set: that is how a container leaves something out.
        let user = self.nats_user.as_deref().filter(|user| !user.is_empty());
        let password = self.nats_password.as_ref().filter(|password| !password.0.is_empty());
        ensure!(user.is_some() == password.is_some(), "NATS_USER and NATS_PASSWORD go together");
        if let (Some(user), Some(Password(password))) = (user, password) {
            options =
                options.user_and_password(user.to_owned(), password.clone()).custom_inbox_prefix(inbox_prefix(user));
        }
        if let Some(file) = self.nats_ca_file.as_ref().filter(|file| !file.is_empty()) {
            // The client reads it at every connect, and would retry for ever.
            File::open(file).with_context(|| format!("NATS_CA_FILE: {file}"))?;
            options = options.add_root_certificates(file.into()).require_tls(true);
        }
        Ok(options)
    }
}

/// What the subjects of a user's replies begin with.
#[must_use]
pub fn inbox_prefix(user: &str) -> String {
    format!("_INBOX_{user}")
}

/// A password, which is never printed.
#[derive(Clone)]
pub struct Password(String);

impl FromStr for Password {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What happens to the streams at the start. They have one owner, the matcher; no other service may create them.
#[derive(Clone, Copy, Debug)]
pub enum Streams {
    /// All are created, or brought up to date, with so many copies.
    Declare {
        /// Copies of each stream.
        replicas: usize,
    },
    /// These are waited for.
    Await(&'static [&'static str]),
}

/// How long JetStream may take to reply to a request of its API. While it elects a leader it does not reply, for
/// some 6 s after an outage, measured with three nodes: a request of that time has to be repeated soon.
const API_TIMEOUT: Duration = Duration::from_secs(2);

/// How much a process buffers while NATS hangs, in messages: with the longest texts some 4 MB.
const CLIENT_CAPACITY: usize = 256;

/// Connects to NATS and waits for the streams, for `timeout` at most.
///
/// # Errors
/// When NATS does not reply in that time, or refuses.
pub async fn connect(config: &NatsConfig, timeout: Duration, name: &str, streams: Streams) -> anyhow::Result<Bus> {
    let client = config
        .options()?
        .name(name)
        .retry_on_initial_connect()
        .ping_interval(Duration::from_secs(10))
        .client_capacity(CLIENT_CAPACITY)
        .request_timeout(Some(API_TIMEOUT))
        // Soon again, since people wait: 100 ms, 200 ms, … 1 s.
        .reconnect_delay_callback(|attempt| Duration::from_millis(50 << attempt.min(5)).min(Duration::from_secs(1)))
        .event_callback(|event| async move { log_event(&event) })
        .connect(config.addresses())
        .await
        .context("NATS_URL is not an address of NATS")?;
    let bus = Bus::new(client);
    let preparing = retry::until_ok(|| prepare(&bus, streams), |error| tracing::warn!("NATS not ready: {error:#}"));
    tokio::time::timeout(timeout, preparing)
        .await
        .context("NATS was not ready within CONNECT_TIMEOUT; are NATS_URL, NATS_USER and NATS_PASSWORD right, is JetStream on, and does a matcher run, which creates the streams?")?;
    Ok(bus)
}

async fn prepare(bus: &Bus, streams: Streams) -> anyhow::Result<()> {
    match streams {
        Streams::Declare { replicas } => streams::declare(&bus.js, replicas).await,
        Streams::Await(names) => streams::exist(&bus.js, names).await,
    }
}

fn log_event(event: &Event) {
    match event {
        Event::Connected => tracing::info!("NATS connected"),
        Event::Disconnected => {
            ::metrics::counter!(metrics::NATS_DISCONNECTS).increment(1);
            tracing::warn!("NATS disconnected");
        }
        Event::SlowConsumer(_) => {
            ::metrics::counter!(metrics::SLOW_CONSUMERS).increment(1);
            tracing::warn!("slow subscription: notifications lost");
        }
        Event::Draining | Event::Closed => {}
        other => tracing::warn!("NATS: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        nats: NatsConfig,
    }

    fn options(args: &[&str]) -> anyhow::Result<ConnectOptions> {
        Program::parse_from([&["program"], args].concat()).nats.options()
    }

    #[test]
    fn a_user_needs_a_password_and_a_password_a_user() {
        for (args, good) in [
            (&[][..], true),
            (&["--nats-user", "gateway", "--nats-password", "p"], true),
            (&["--nats-user", "", "--nats-password", "", "--nats-ca-file", ""], true),
            (&["--nats-user", "gateway"], false),
            (&["--nats-password", "p"], false),
            (&["--nats-ca-file", "/nowhere/ca.pem"], false),
        ] {
            assert_eq!(options(args).is_ok(), good, "{args:?}");
        }
    }

    #[test]
    fn a_password_is_not_shown_when_the_configuration_is_printed() {
        let program = Program::parse_from(["program", "--nats-user", "gateway", "--nats-password", "hidden"]);
        assert!(!format!("{program:?}").contains("hidden"));
    }
}
