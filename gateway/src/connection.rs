//! The connections of people, each of which can be ended alone: socketioxide ends them all or none.
//!
//! What the engine understands is the client's own goodbye of the transport, an Engine.IO packet: it then writes
//! what is left and closes, and the client's library comes back by itself. A polling client's goodbye is a request,
//! which [`Doors`] asks the engine in its name; a WebSocket's is a frame, which its [`Connection`] reads when it is
//! cut. A namespace disconnect would tell the library to stay away.

use crate::{config::Config, web::Sockets};
use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State, connect_info::Connected},
    http::{StatusCode, header},
    middleware::Next,
    response::Response,
    serve::{IncomingStream, Listener},
};
use socketioxide::{ProtocolVersion, TransportType, extract::SocketRef, socket::Sid};
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tower::ServiceExt as _;

/// The packet `1`, close, in a final text frame; masked, as a client's frames are, with zeros.
const GOODBYE: [u8; 7] = [0x81, 0x81, 0, 0, 0, 0, b'1'];

/// Accepts people's connections.
pub(crate) struct Entrance {
    listener: TcpListener,
    patience: Duration,
}

impl Entrance {
    /// Cuts off whoever does not take what is sent to them for as long as a lost connection may last: such a
    /// socket is otherwise never reported as gone.
    pub(crate) fn new(listener: TcpListener, config: &Config) -> Self {
        Self { listener, patience: config.ping_interval + config.ping_timeout }
    }
}

impl Listener for Entrance {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        if let Err(error) = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(self.patience)) {
            tracing::debug!(%error, "a connection keeps the system's patience");
        }
        // What is told is small, and not to wait for what was told before it.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection tells small things late");
        }
        (Connection::new(stream), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends with a goodbye when it is cut, which is for WebSockets only.
pub(crate) struct Connection {
    stream: TcpStream,
    cut: Arc<CancellationToken>,
    is_cut: Pin<Box<WaitForCancellationFutureOwned>>,
    goodbye: &'static [u8],
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        let cut = Arc::new(CancellationToken::new());
        let is_cut = Box::pin(CancellationToken::clone(&cut).cancelled_owned());
        Self { stream, cut, is_cut, goodbye: &GOODBYE }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.cut.is_cancelled() {
            if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buf) {
                return Poll::Ready(read);
            }
            ready!(self.is_cut.as_mut().poll(cx));
        }
        // In the middle of a frame it is no goodbye; the end that follows is understood all the same.
        let (now, later) = self.goodbye.split_at(self.goodbye.len().min(buf.remaining()));
        buf.put_slice(now);
        self.goodbye = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
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

/// What a request knows of the connection that it came on.
#[derive(Clone)]
pub(crate) struct Peer {
    /// The other end: of a person, or of a proxy.
    pub(crate) address: IpAddr,
    cut: Weak<CancellationToken>,
}

impl Connected<IncomingStream<'_, Entrance>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Entrance>) -> Self {
        Self { address: stream.remote_addr().ip(), cut: Arc::downgrade(&stream.io().cut) }
    }
}

/// The WebSockets that began as polling, by the id of their session: what the engine keeps of such a session is
/// the first request, which came on another connection.
#[derive(Default)]
pub(crate) struct Upgrades(Mutex<HashMap<Sid, Weak<CancellationToken>>>);

impl Upgrades {
    fn note(&self, sid: Sid, cut: Weak<CancellationToken>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == all.capacity() {
            all.retain(|_, cut| cut.strong_count() > 0);
        }
        all.insert(sid, cut);
    }

    fn of(&self, sid: Sid) -> Option<Weak<CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&sid)
    }
}

/// Notes the connection of an upgrade once it is one, after which the connection takes no other request: what is
/// kept is bounded by the connections that there are, whatever strangers ask for on one.
pub(crate) async fn upgrade(State(upgrades): State<Arc<Upgrades>>, request: Request, next: Next) -> Response {
    let asked = upgrade_of(&request);
    let response = next.run(request).await;
    if let Some((sid, cut)) = asked
        && response.status() == StatusCode::SWITCHING_PROTOCOLS
    {
        upgrades.note(sid, cut);
    }
    response
}

/// The session for which an upgrade is asked, and the connection.
fn upgrade_of(request: &Request) -> Option<(Sid, Weak<CancellationToken>)> {
    let sid = asks(request, "sid").filter(|_| asks(request, "transport") == Some("websocket"))?;
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<Peer>>()?;
    Some((sid.parse().ok()?, peer.cut.clone()))
}

/// A parameter of a request's query.
pub(crate) fn asks<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let pairs = request.uri().query()?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Closes connections one by one, in a way that makes the clients' libraries come back.
#[derive(Clone)]
pub(crate) struct Doors {
    pub(crate) upgrades: Arc<Upgrades>,
    pub(crate) sockets: Sockets,
}

impl Doors {
    /// Closes the connection of a socket; nobody emits to it any more.
    pub(crate) async fn close(&self, socket: &SocketRef) {
        match socket.transport_type() {
            TransportType::Polling => self.end_polling(socket).await,
            TransportType::Websocket => {
                let at_once = || socket.req_parts().extensions.get().map(|ConnectInfo(Peer { cut, .. })| cut.clone());
                if let Some(cut) = self.upgrades.of(socket.id).or_else(at_once).and_then(|cut| cut.upgrade()) {
                    cut.cancel();
                }
            }
        }
    }

    async fn end_polling(&self, socket: &SocketRef) {
        let (version, goodbye) = match socket.protocol() {
            ProtocolVersion::V4 => (3, "1:1"),
            ProtocolVersion::V5 => (4, "1"),
        };
        let uri = format!("/socket.io/?EIO={version}&transport=polling&sid={}", socket.id);
        let request = Request::post(uri).header(header::CONTENT_TYPE, "text/plain").body(Body::from(goodbye));
        let Ok(request) = request else { return };
        if let Ok(answer) = self.sockets.clone().oneshot(request).await
            && !answer.status().is_success()
        {
            tracing::debug!(status = %answer.status(), "a polling client was gone by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, middleware};

    /// How many upgrades are noted after 100 requests on one connection that are answered so.
    async fn noted(status: StatusCode) -> usize {
        let upgrades = Arc::<Upgrades>::default();
        let noting = middleware::from_fn_with_state(upgrades.clone(), upgrade);
        let router = Router::new().fallback(move || std::future::ready(status)).layer(noting);
        let cut = Arc::new(CancellationToken::new());
        for _ in 0..100 {
            let peer = Peer { address: IpAddr::from([127, 0, 0, 1]), cut: Arc::downgrade(&cut) };
            let uri = format!("/socket.io/?EIO=4&transport=websocket&sid={}", Sid::new());
            let mut request = Request::get(uri).body(Body::empty()).expect("a request");
            request.extensions_mut().insert(ConnectInfo(peer));
            assert_eq!(router.clone().oneshot(request).await.expect("answered").status(), status);
        }
        upgrades.0.lock().expect("whole").len()
    }

    #[tokio::test]
    async fn what_only_asks_for_an_upgrade_is_not_kept() {
        assert_eq!(noted(StatusCode::BAD_REQUEST).await, 0);
        assert_eq!(noted(StatusCode::SWITCHING_PROTOCOLS).await, 100);
    }
}
