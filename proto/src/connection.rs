//! How a process reaches NATS: where it is, as whom, and whether over TLS.

use anyhow::{Context as _, ensure};
use async_nats::ConnectOptions;
use clap::Args;
use std::{fmt, fs::File, str::FromStr};

/// Where NATS is, and who asks.
#[derive(Args, Clone, Debug)]
pub struct Connection {
    /// Where NATS is; several addresses of one cluster separated by commas.
    #[arg(long, env = "NATS_URL", default_value = "nats://127.0.0.1:4222", hide_env_values = true)]
    pub nats_url: String,
    /// The user to sign in to NATS as, where it asks for one. Answers come below `_INBOX_<user>`, so that no other
    /// user needs to be allowed to hear them.
    #[arg(long, env = "NATS_USER")]
    pub nats_user: Option<String>,
    /// The password of that user.
    #[arg(long, env = "NATS_PASSWORD", hide_env_values = true)]
    pub nats_password: Option<Password>,
    /// PEM file of whoever signed the certificates of the NATS servers. Given, the connection is refused without TLS.
    #[arg(long, env = "NATS_CA_FILE")]
    pub nats_ca_file: Option<String>,
}

impl Connection {
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
            // The client reads it at every connect, and would try for ever.
            File::open(file).with_context(|| format!("NATS_CA_FILE: {file}"))?;
            options = options.add_root_certificates(file.into()).require_tls(true);
        }
        Ok(options)
    }
}

/// What the subjects of a user's answers begin with.
#[must_use]
pub fn inbox_prefix(user: &str) -> String {
    format!("_INBOX_{user}")
}

/// Shown to nobody.
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        nats: Connection,
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
