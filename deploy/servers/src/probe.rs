//! A minimal HTTP client for readiness probes of servers on this machine.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The status of `GET path` at `127.0.0.1:port`, or none without a response within 2 s.
pub async fn http_status(port: u16, path: &str) -> Option<u16> {
    timeout(PATIENCE, request(port, path)).await.ok().flatten()
}

async fn request(port: u16, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    // Read to the end, or closing would reset the connection while the server writes.
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.ok()?;
    let (version, rest) = std::str::from_utf8(&response).ok()?.split_once(' ')?;
    version.starts_with("HTTP/1.").then(|| rest.get(..3)?.parse().ok())?
}
