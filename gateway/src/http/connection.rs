//! A client's TCP connection as the HTTP server sees it: it counts the bytes that leave, and can be ended from outside
//! in the way that [`crate::http::transport_closer`] needs.

use crate::http::flow::Flow;
use futures_util::task::AtomicWaker;
use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The handle of a connection for those who are not its HTTP server.
#[derive(Default)]
pub(crate) struct Wire {
    /// What the server reads instead of the client's bytes, once the connection is ended.
    goodbye: OnceLock<&'static [u8]>,
    aborted: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    flow: OnceLock<Arc<Flow>>,
}

impl Wire {
    /// Counts what leaves from now on in this flow. For one socket: a WebSocket has its connection for itself.
    pub(crate) fn count_in(&self, flow: Arc<Flow>) {
        if self.flow.set(flow).is_err() {
            tracing::debug!("connection already counted");
        }
    }

    /// Ends the connection: its server reads this goodbye and then the end, and writes what is left.
    pub(crate) fn close(&self, goodbye: &'static [u8]) {
        self.goodbye.get_or_init(|| goodbye);
        self.reader.wake();
    }

    /// The same, but nothing more is written: the client does not read.
    pub(crate) fn abort(&self, goodbye: &'static [u8]) {
        self.aborted.store(true, Ordering::Release);
        self.close(goodbye);
        self.writer.wake();
    }

    fn written(&self, bytes: usize) {
        if let Some(flow) = self.flow.get() {
            flow.take(bytes);
        }
    }
}

/// A connection that was accepted.
pub(crate) struct Connection {
    stream: TcpStream,
    wire: Arc<Wire>,
    /// How much of the goodbye was read.
    goodbye_read: usize,
}

impl Connection {
    /// Over a stream.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, wire: Arc::default(), goodbye_read: 0 }
    }

    /// Its handle.
    pub(crate) fn wire(&self) -> Weak<Wire> {
        Arc::downgrade(&self.wire)
    }

    /// The rest of the goodbye, and then the end of the stream.
    fn read_goodbye(&mut self, goodbye: &[u8], buf: &mut ReadBuf<'_>) {
        let rest = &goodbye[self.goodbye_read.min(goodbye.len())..];
        let now = &rest[..rest.len().min(buf.remaining())];
        buf.put_slice(now);
        self.goodbye_read += now.len();
    }

    fn poll_unless_aborted(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        // Registered before the state is read: an abort in between wakes it.
        self.wire.writer.register(cx.waker());
        if self.wire.aborted.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let written = ready!(write(Pin::new(&mut self.stream), cx));
        if let Ok(bytes) = written {
            self.wire.written(bytes);
        }
        Poll::Ready(written)
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.wire.reader.register(cx.waker());
        if let Some(goodbye) = self.wire.goodbye.get().copied() {
            self.read_goodbye(goodbye, buf);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_unless_aborted(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_unless_aborted(cx, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What a request knows of its connection.
#[derive(Clone)]
pub(crate) struct Peer {
    /// The other end: a client, or a proxy.
    pub(crate) address: IpAddr,
    /// The connection.
    pub(crate) wire: Weak<Wire>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::poll;
    use std::{pin::pin, time::Duration};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        time::timeout,
    };

    async fn connected() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
        (Connection::new(listener.accept().await.expect("accepted").0), client)
    }

    #[tokio::test]
    async fn what_leaves_is_counted_once_a_socket_wants_to_know() {
        let (mut connection, mut client) = connected().await;
        connection.write_all(b"before").await.expect("written");
        let flow = Arc::<Flow>::default();
        connection.wire.count_in(flow.clone());
        flow.hand_over(10);
        connection.write_all(b"seven..").await.expect("written");
        assert_eq!(flow.in_transport(), 3);
        client.read_exact(&mut [0; 13]).await.expect("read");
    }

    #[tokio::test]
    async fn a_connection_that_is_closed_reads_a_goodbye_and_still_writes() {
        let (mut connection, mut client) = connected().await;
        let wire = connection.wire.clone();
        let mut read = Vec::new();
        let (reading, ()) = tokio::join!(connection.read_to_end(&mut read), async { wire.close(b"goodbye") });
        reading.expect("an end");
        assert_eq!(read, b"goodbye");
        connection.write_all(b"rest").await.expect("written");
        client.read_exact(&mut [0; 4]).await.expect("read");
    }

    #[tokio::test]
    async fn a_connection_that_is_aborted_gives_up_what_its_client_does_not_read() {
        let (mut connection, _client) = connected().await;
        let wire = connection.wire.clone();
        let too_much = vec![0; 64 << 20];
        let mut writing = pin!(connection.write_all(&too_much));
        assert!(poll!(&mut writing).is_pending(), "more than the system buffers");
        wire.abort(b"goodbye");
        let ended = timeout(Duration::from_secs(10), writing).await.expect("woken up");
        assert_eq!(ended.expect_err("given up").kind(), io::ErrorKind::ConnectionAborted);
    }
}
