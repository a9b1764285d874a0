//! The protocol of NATS by hand: the server sends an error before the reply to the next PING, so that an operation
//! without an error was allowed.

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

/// A connection.
pub(crate) struct Wire(BufStream<TcpStream>);

impl Wire {
    /// Authenticates; an error when that is refused.
    pub(crate) async fn connect(url: &str, user: Option<(&str, &str)>) -> anyhow::Result<Self> {
        let address = url.strip_prefix("nats://").context("an address")?;
        let mut wire = Self(BufStream::new(TcpStream::connect(address).await?));
        let credentials =
            user.map_or_else(String::new, |(user, password)| format!(r#","user":"{user}","pass":"{password}""#));
        let accepted = wire
            .allows(&format!(r#"CONNECT {{"verbose":false,"pedantic":false,"headers":true{credentials}}}"#))
            .await?;
        ensure!(accepted, "refused");
        Ok(wire)
    }

    /// Whether the server allows this operation.
    pub(crate) async fn allows(&mut self, operation: &str) -> anyhow::Result<bool> {
        self.0.write_all(format!("{operation}\r\nPING\r\n").as_bytes()).await?;
        self.0.flush().await?;
        let mut allowed = true;
        loop {
            let mut line = String::new();
            ensure!(self.0.read_line(&mut line).await? > 0, "the server closed the connection");
            match line.trim_end() {
                "PONG" => return Ok(allowed),
                "PING" => self.0.write_all(b"PONG\r\n").await?,
                error if error.starts_with("-ERR") => allowed = false,
                _ => {}
            }
        }
    }
}
