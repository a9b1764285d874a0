//! Accepts the connections of clients, with the options that each of them needs.

use crate::http::connection::{Connection, Peer};
use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use std::{io, net::SocketAddr, time::Duration};
use tokio::net::TcpListener;

/// A listener whose connections are [`Connection`]s.
pub(crate) struct Acceptor {
    listener: TcpListener,
    user_timeout: Duration,
}

impl Acceptor {
    /// A connection whose client acknowledges nothing for `user_timeout` is closed: a socket that stopped to read is
    /// otherwise never reported as closed, since its close waits for the flush.
    pub(crate) fn new(listener: TcpListener, user_timeout: Duration) -> Self {
        Self { listener, user_timeout }
    }
}

impl Listener for Acceptor {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        if let Err(error) = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(self.user_timeout)) {
            tracing::debug!(%error, "TCP_USER_TIMEOUT not set");
        }
        // Events are small, and must not wait for the acknowledgement of earlier ones.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY not set");
        }
        (Connection::new(stream), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Acceptor>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Acceptor>) -> Self {
        Self { address: stream.remote_addr().ip(), wire: stream.io().wire() }
    }
}
