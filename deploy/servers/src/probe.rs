//! The smallest HTTP client that can ask a server on this machine whether it is ready.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The status of `GET path` at `127.0.0.1:port`, or nothing when nobody answers within 2 s.
pub async fn http_status(port: u16, path: &str) -> Option<u16> {
    timeout(PATIENCE, ask(port, path)).await.ok().flatten()
}

async fn ask(port: u16, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    // To the end, or closing would reset the connection under the server's answer.
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let (version, rest) = std::str::from_utf8(&answer).ok()?.split_once(' ')?;
    version.starts_with("HTTP/1.").then(|| rest.get(..3)?.parse().ok())?
}
