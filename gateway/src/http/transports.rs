//! The transports of sockets, by the engine's session id: which connection a WebSocket has that began as polling (the
//! engine keeps only the first request, which came on another one), and how many bytes polls have taken.

use crate::http::{
    connection::{Peer, Wire},
    flow::Flow,
};
use axum::{
    body::HttpBody as _,
    extract::{ConnectInfo, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};
use parking_lot::Mutex;
use socketioxide::{extract::SocketRef, socket::Sid};
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

/// The transports of this gateway. Entries of sockets that are gone are removed when the table would grow.
#[derive(Default)]
pub(crate) struct Transports(Mutex<HashMap<Sid, Transport>>);

#[derive(Default)]
struct Transport {
    /// Of the socket, once its namespace is connected.
    flow: Weak<Flow>,
    /// Of a WebSocket that began as polling.
    wire: Weak<Wire>,
}

impl Transport {
    fn is_gone(&self) -> bool {
        self.flow.strong_count() == 0 && self.wire.strong_count() == 0
    }
}

impl Transports {
    /// Counts the bytes of a socket from now on.
    pub(crate) fn register(&self, socket: &SocketRef) -> Arc<Flow> {
        let flow = Arc::<Flow>::default();
        let upgraded = self.update(socket.id, |transport| {
            transport.flow = Arc::downgrade(&flow);
            transport.wire.upgrade()
        });
        if let Some(wire) = upgraded.or_else(|| first_wire(socket)) {
            wire.count_in(flow.clone());
        }
        flow
    }

    /// The connection of a WebSocket.
    pub(crate) fn wire(&self, socket: &SocketRef) -> Option<Arc<Wire>> {
        let upgraded = self.0.lock().get(&socket.id).and_then(|transport| transport.wire.upgrade());
        upgraded.or_else(|| first_wire(socket))
    }

    fn upgraded(&self, sid: Sid, wire: Weak<Wire>) {
        let flow = self.update(sid, |transport| {
            transport.wire = wire.clone();
            transport.flow.upgrade()
        });
        if let (Some(flow), Some(wire)) = (flow, wire.upgrade()) {
            wire.count_in(flow);
        }
    }

    fn polled(&self, sid: Sid, bytes: u64) {
        let flow = self.0.lock().get(&sid).and_then(|transport| transport.flow.upgrade());
        if let Some(flow) = flow {
            flow.take(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
    }

    fn update<T>(&self, sid: Sid, change: impl FnOnce(&mut Transport) -> T) -> T {
        let mut all = self.0.lock();
        if all.len() == all.capacity() {
            all.retain(|_, transport| !transport.is_gone());
        }
        change(all.entry(sid).or_default())
    }
}

/// The connection of a socket's first request, if that is its WebSocket.
fn first_wire(socket: &SocketRef) -> Option<Arc<Wire>> {
    let request = socket.req_parts();
    let is_websocket = query_parameter(request.uri.query()?, "transport") == Some("websocket");
    let ConnectInfo(Peer { wire, .. }) = request.extensions.get().filter(|_| is_websocket)?;
    wire.upgrade()
}

/// Watches the requests of transports. An upgrade is noted once it is one, after which the connection takes no other
/// request: what is kept is bounded by the connections that there are, whatever strangers request on one.
pub(crate) async fn observe(State(transports): State<Arc<Transports>>, request: Request, next: Next) -> Response {
    let observed = Observed::of(&request);
    let response = next.run(request).await;
    match observed {
        Some(Observed::Upgrade(sid, wire)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            transports.upgraded(sid, wire);
        }
        Some(Observed::Poll(sid)) => transports.polled(sid, response.body().size_hint().exact().unwrap_or(0)),
        _ => {}
    }
    response
}

enum Observed {
    Upgrade(Sid, Weak<Wire>),
    Poll(Sid),
}

impl Observed {
    fn of(request: &Request) -> Option<Self> {
        let query = request.uri().query()?;
        let sid = query_parameter(query, "sid")?.parse().ok()?;
        match query_parameter(query, "transport")? {
            "websocket" => {
                let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<Peer>>()?;
                Some(Self::Upgrade(sid, peer.wire.clone()))
            }
            "polling" if request.method() == Method::GET => Some(Self::Poll(sid)),
            _ => None,
        }
    }
}

/// A parameter of a request's query.
pub(crate) fn query_parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, body::Body, middleware};
    use std::net::IpAddr;
    use tower::ServiceExt as _;

    /// How many upgrades are noted after 100 requests on one connection that are answered with this status.
    async fn noted(status: StatusCode) -> usize {
        let transports = Arc::<Transports>::default();
        let observing = middleware::from_fn_with_state(transports.clone(), observe);
        let router = Router::new().fallback(move || std::future::ready(status)).layer(observing);
        let wire = Arc::<Wire>::default();
        for _ in 0..100 {
            let peer = Peer { address: IpAddr::from([127, 0, 0, 1]), wire: Arc::downgrade(&wire) };
            let uri = format!("/socket.io/?EIO=4&transport=websocket&sid={}", Sid::new());
            let mut request = Request::get(uri).body(Body::empty()).expect("a request");
            request.extensions_mut().insert(ConnectInfo(peer));
            assert_eq!(router.clone().oneshot(request).await.expect("a response").status(), status);
        }
        transports.0.lock().len()
    }

    #[tokio::test]
    async fn what_only_requests_an_upgrade_is_not_kept() {
        assert_eq!(noted(StatusCode::BAD_REQUEST).await, 0);
        assert_eq!(noted(StatusCode::SWITCHING_PROTOCOLS).await, 100);
    }

    #[tokio::test]
    async fn what_a_poll_takes_is_counted() {
        let transports = Arc::<Transports>::default();
        let observing = middleware::from_fn_with_state(transports.clone(), observe);
        let router = Router::new().fallback(async || "x".repeat(30)).layer(observing);
        let (sid, flow) = (Sid::new(), Arc::<Flow>::default());
        transports.update(sid, |transport| transport.flow = Arc::downgrade(&flow));
        flow.hand_over(100);
        for (method, left) in [("POST", 100), ("GET", 70)] {
            let uri = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
            let request = Request::builder().method(method).uri(uri).body(Body::empty()).expect("a request");
            router.clone().oneshot(request).await.expect("a response");
            assert_eq!(flow.in_transport(), left, "{method}");
        }
    }

    #[test]
    fn a_socket_that_is_gone_leaves_no_entry() {
        let transports = Transports::default();
        for _ in 0..1000 {
            transports.update(Sid::new(), |transport| transport.wire = Weak::new());
        }
        assert!(transports.0.lock().len() < 10);
    }
}
