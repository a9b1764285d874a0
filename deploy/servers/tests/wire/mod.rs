//! The protocol of NATS by hand: the server says what it refuses before it answers the next PING, so that what was
//! not refused was allowed.

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

/// A connection.
pub(crate) struct Wire(BufStream<TcpStream>);

impl Wire {
    /// Signs in; an error when that is refused.
    pub(crate) async fn connect(url: &str, user: Option<(&str, &str)>) -> anyhow::Result<Self> {
        let address = url.strip_prefix("nats://").context("an address")?;
        let mut wire = Self(BufStream::new(TcpStream::connect(address).await?));
        let who = user.map_or_else(String::new, |(user, password)| format!(r#","user":"{user}","pass":"{password}""#));
        let signed_in =
            wire.does(&format!(r#"CONNECT {{"verbose":false,"pedantic":false,"headers":true{who}}}"#)).await?;
        ensure!(signed_in, "refused");
        Ok(wire)
    }

    /// Whether the server does this.
    pub(crate) async fn does(&mut self, what: &str) -> anyhow::Result<bool> {
        self.0.write_all(format!("{what}\r\nPING\r\n").as_bytes()).await?;
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
