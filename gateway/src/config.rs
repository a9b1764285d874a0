//! The configuration, read once.

use crate::http::client_ip::Proxies;
use axum::http::HeaderValue;
use clap::Parser;
use proto::{
    GatewayId,
    process::{Common, ServiceConfig, positive, whole_seconds},
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// The gateway of talk to me: Socket.IO and REST for clients, commands and notifications on the bus. Any number of them
/// may run.
#[derive(Clone, Parser)]
#[command(name = "gateway", version)]
pub struct Config {
    /// What all services have in common.
    #[command(flatten)]
    pub common: Common,
    /// Address for clients: REST, Socket.IO and the page.
    #[arg(long, env = "GATEWAY_ADDR", default_value = "0.0.0.0:8000")]
    pub addr: SocketAddr,
    /// The name of this gateway for operators, for instance that of its pod: at most 55 letters, digits, '-' or '_'. On
    /// the bus each process appends eight digits of its own.
    #[arg(long, env = "GATEWAY_ID", default_value = "gateway")]
    pub gateway_id: GatewayId,
    /// Key that signs the secrets of users, the same in all gateways: at least 32 characters.
    #[arg(long, env = "SECRET_KEY", hide_env_values = true)]
    pub secret_key: String,
    /// The key before the last rotation, whose secrets are still accepted; empty for none.
    #[arg(long, env = "SECRET_KEY_PREVIOUS", hide_env_values = true)]
    pub secret_key_previous: Option<String>,
    /// How long a secret is good for.
    #[arg(long, env = "SECRET_TTL", default_value = "24h", value_parser = positive)]
    pub secret_ttl: Duration,
    /// Origins that may use this gateway from a browser, separated by commas. Empty for any,
    /// which is safe because no cookie carries authority.
    #[arg(long, env = "ALLOWED_ORIGINS", default_value = "", value_parser = origins)]
    pub allowed_origins: Origins,
    /// How long a client waits for the result of a command; then it gets a 503, and a retry is safe.
    #[arg(long, env = "RESULT_DEADLINE", default_value = "5s", value_parser = positive)]
    pub result_deadline: Duration,
    /// How long a user who queued by POST is not matched, so that the reply arrives before the match does.
    #[arg(long, env = "SETTLE", default_value = "150ms", value_parser = positive)]
    pub settle: Duration,
    /// How often a connection is probed.
    #[arg(long, env = "PING_INTERVAL", default_value = "10s", value_parser = positive)]
    pub ping_interval: Duration,
    /// How long a probe may go unanswered before the connection counts as lost.
    #[arg(long, env = "PING_TIMEOUT", default_value = "15s", value_parser = positive)]
    pub ping_timeout: Duration,
    /// How long this gateway's lease lives without a renewal; then its connections count as lost. Whole seconds, at
    /// least 3.
    #[arg(long, env = "GATEWAY_LEASE", default_value = "6s", value_parser = lease)]
    pub lease: Duration,
    /// Over how long a drain spreads the connections that it closes, in even spacing; with few of them it is quicker.
    /// With 12 s more it must fit into the drain deadline.
    #[arg(long, env = "DRAIN_SPREAD", default_value = "5s", value_parser = positive)]
    pub drain_spread: Duration,
    /// Actions of one user in a second, after a burst of ten times as many.
    #[arg(long, env = "ACTIONS_PER_SECOND", default_value = "20")]
    pub actions_per_second: std::num::NonZeroU32,
    /// Networks of the proxies in front of the gateways, as 10.0.0.0/8, separated by commas: what they write into
    /// X-Forwarded-For is trusted. Empty when clients connect directly, or the header would be theirs to write.
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "", value_parser = Proxies::parse)]
    pub trusted_proxies: Proxies,
    /// New connections and REST requests of one address (a /64 of IPv6) in a second, after a burst of ten times as
    /// many. Without it there is no limit; many people may share one address.
    #[arg(long, env = "REQUESTS_PER_SECOND_PER_ADDRESS")]
    pub requests_per_second_per_address: Option<std::num::NonZeroU32>,
    /// Folder of the built page; without it there is only the API.
    #[arg(long, env = "WEB_DIR")]
    pub web_dir: Option<PathBuf>,
}

impl Config {
    /// How long a connection may be silent before it counts as lost.
    pub(crate) fn patience(&self) -> Duration {
        self.ping_interval + self.ping_timeout
    }

    /// Checks that a drain fits into its deadline: the spread, and `steps` for the last disconnects, the connections
    /// that are left, and the requests that are left.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn check_drain(&self, steps: Duration) -> anyhow::Result<()> {
        let (deadline, needed) = (self.common.drain_deadline, self.drain_spread + steps);
        let shown = humantime::format_duration;
        anyhow::ensure!(
            needed <= deadline,
            "DRAIN_SPREAD does not fit into DRAIN_DEADLINE: a drain may take {}, the spread included, and {} is allowed",
            shown(needed),
            shown(deadline),
        );
        Ok(())
    }
}

impl ServiceConfig for Config {
    // A legacy client posts up to five messages at once, each on a connection of its own, and their order is that of
    // their arrival: on several threads up to 8 of 100 such groups were inverted. Nothing else hangs on it.
    const SINGLE_THREADED: bool = true;

    fn common(&self) -> &Common {
        &self.common
    }

    fn instance(&self) -> String {
        self.gateway_id.to_string()
    }
}

/// Origins that may use the gateway; none for any.
#[derive(Clone, Debug, Default)]
pub struct Origins(pub Vec<HeaderValue>);

fn origins(list: &str) -> Result<Origins, String> {
    let named = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    named.map(origin).collect::<Result<_, _>>().map(Origins)
}

fn origin(text: &str) -> Result<HeaderValue, String> {
    let host = text.split_once("://").map(|(_, host)| host).filter(|host| !host.is_empty() && !host.contains('/'));
    let wrong = || format!("{text} is no origin; one looks like https://chat.example");
    host.ok_or_else(wrong).and_then(|_| text.parse().map_err(|_| wrong()))
}

fn lease(text: &str) -> Result<Duration, String> {
    let lease = whole_seconds(text)?;
    if lease.as_secs() >= 3 { Ok(lease) } else { Err("whole seconds, at least 3s".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lasts_whole_seconds_and_at_least_three() {
        assert_eq!(lease("3s"), Ok(Duration::from_secs(3)));
        for wrong in ["2s", "3.5s", "3s 500ms", "soon"] {
            assert!(lease(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_of_zero_is_refused_at_the_start() {
        let parse = |more: &str| {
            Config::try_parse_from(["gateway", "--secret-key=a key of at least thirty-two characters", more])
        };
        assert!(parse("--ping-interval=1s").is_ok());
        for zero in ["--ping-interval=0s", "--ping-timeout=0s", "--drain-spread=0s", "--lease=0s", "--settle=0s"] {
            assert!(parse(zero).is_err_and(|refusal| refusal.to_string().contains("at least")), "{zero}");
        }
    }

    #[test]
    fn origins_are_read_with_blanks_and_wrong_ones_refused() {
        assert!(origins("").expect("none").0.is_empty());
        assert_eq!(origins("https://a.example, http://b:1").expect("two").0, ["https://a.example", "http://b:1"]);
        for wrong in ["a.example", "https://a.example/", "https://a\n.example"] {
            assert!(origins(wrong).is_err(), "{wrong}");
        }
    }
}
