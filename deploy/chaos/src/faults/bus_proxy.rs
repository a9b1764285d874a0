//! A TCP proxy between one gateway and the nodes of NATS that can be suspended: then it forwards nothing, accepts and
//! keeps connections, and the gateway sees a bus that hangs rather than one that is down.

use std::{io, sync::Mutex, time::Duration};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
    time::sleep,
};

/// How soon to try again when accepting fails.
const AGAIN: Duration = Duration::from_millis(100);

/// The proxy; its connections are closed when it is dropped.
pub(crate) struct BusProxy {
    suspended: watch::Sender<bool>,
    listening: Mutex<JoinSet<()>>,
}

impl BusProxy {
    pub(crate) fn new() -> Self {
        Self { suspended: watch::Sender::new(false), listening: Mutex::default() }
    }

    /// The addresses to connect to instead of these, one for each: `nats://host:port`, separated by commas.
    ///
    /// # Errors
    /// When there is no free port, or an address cannot be read.
    pub(crate) fn instead_of(&self, addresses: &str) -> anyhow::Result<String> {
        let proxied = addresses.split(',').map(|address| self.listen(address)).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(proxied.join(","))
    }

    fn listen(&self, address: &str) -> anyhow::Result<String> {
        let target = address.strip_prefix("nats://").context("an address of NATS")?.to_owned();
        let port = servers::free_port()?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let mut listening = self.listening.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        listening.spawn(accept(listener, target, self.suspended.subscribe()));
        Ok(format!("nats://127.0.0.1:{port}"))
    }

    /// Forwards nothing from now on.
    pub(crate) fn suspend(&self) {
        self.suspended.send_replace(true);
    }

    /// Forwards again, first what came meanwhile.
    pub(crate) fn resume(&self) {
        self.suspended.send_replace(false);
    }
}

async fn accept(listener: TcpListener, target: String, suspended: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => drop(connections.spawn(forward(client, target.clone(), suspended.clone()))),
                Err(_) => sleep(AGAIN).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Forwards both ways until one side closes, which the other one sees as soon as nothing is suspended.
async fn forward(client: TcpStream, target: String, mut suspended: watch::Receiver<bool>) {
    until_resumed(&mut suspended).await;
    // Fails while the node is down: the client is closed, as it would have been refused.
    let Ok(server) = TcpStream::connect(&target).await else { return };
    // Small packets are requests, and their latency counts.
    let (_client, _server) = (client.set_nodelay(true), server.set_nodelay(true));
    let ((client_reads, client_writes), (server_reads, server_writes)) = (client.into_split(), server.into_split());
    tokio::select! {
        _closed = copy(client_reads, server_writes, suspended.clone()) => {}
        _closed = copy(server_reads, client_writes, suspended) => {}
    }
}

/// Holds no lock on the way out, which what `wait_for` returns does.
async fn until_resumed(suspended: &mut watch::Receiver<bool>) {
    // Fails when the proxy is dropped, and all of this with it.
    let _resumed = suspended.wait_for(|suspended| !suspended).await.is_ok();
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut suspended: watch::Receiver<bool>) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await;
        // What was read before the suspension waits for its end, and so does the news that a side has closed.
        until_resumed(&mut suspended).await;
        match length? {
            0 => return Ok(()),
            length => to.write_all(&buffer[..length]).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        time::timeout,
    };

    use super::BusProxy;

    #[tokio::test]
    async fn nothing_passes_while_it_is_suspended_and_all_of_it_afterwards() {
        let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("nats://{}", server.local_addr().expect("an address"));
        let proxy = BusProxy::new();
        let proxied = proxy.instead_of(&address).expect("a proxy");
        let mut client = TcpStream::connect(proxied.trim_start_matches("nats://")).await.expect("accepted");
        let (mut received, _) = server.accept().await.expect("forwarded");
        let mut buffer = [0; 5];

        client.write_all(b"first").await.expect("written");
        received.read_exact(&mut buffer).await.expect("it passes");
        proxy.suspend();
        client.write_all(b"later").await.expect("written");
        let early = timeout(Duration::from_millis(300), received.read_exact(&mut buffer)).await;
        assert!(early.is_err(), "{buffer:?} passed a suspended proxy");
        proxy.resume();
        let late = timeout(Duration::from_secs(20), received.read_exact(&mut buffer)).await;
        late.expect("in time").expect("it passes again");
        assert_eq!(&buffer, b"later");
    }
}
