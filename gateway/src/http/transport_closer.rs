//! Closes the transport of one socket, in a way that makes the client's library come back by itself.
//!
//! A work-around: socketioxide closes the transports of all sockets or of none; `Socket::close_underlying_transport`
//! is private (`pub(crate)` in 0.18), and a namespace disconnect tells the library to stay away. What the engine
//! understands is the client's own goodbye, an Engine.IO packet. So it is forged: a WebSocket's is a frame that its
//! connection has the server read ([`crate::http::connection`]), a polling client's is a request to the engine in its
//! name. Were that function public, one call of it would replace this file, `Wire::close`, and the `wire` of
//! [`crate::http::transports`]; `Wire::abort` would be left, for clients that do not read.

use crate::http::transports::Transports;
use axum::{Router, body::Body, extract::Request, http::header};
use socketioxide::{ProtocolVersion, TransportType, extract::SocketRef, service::SocketIoService};
use std::sync::{Arc, OnceLock};
use tower::ServiceExt as _;

/// Socket.IO, with the API and the page behind it.
pub(crate) type Engine = SocketIoService<Router>;

/// The packet `1`, close, in a final text frame; masked, as a client's frames are, with zeros.
const GOODBYE: [u8; 7] = [0x81, 0x81, 0, 0, 0, 0, b'1'];

/// Closes transports one by one.
#[derive(Default)]
pub(crate) struct TransportCloser {
    transports: Arc<Transports>,
    engine: OnceLock<Engine>,
}

impl TransportCloser {
    /// Of these transports.
    pub(crate) fn new(transports: Arc<Transports>) -> Self {
        Self { transports, engine: OnceLock::new() }
    }

    /// Sets the engine, which is built after the handlers that use this closer.
    pub(crate) fn set_engine(&self, engine: Engine) {
        if self.engine.set(engine).is_err() {
            tracing::error!("a second engine; sockets of the first one are closed");
        }
    }

    /// Closes the transport of a socket after what was emitted to it.
    pub(crate) async fn close(&self, socket: &SocketRef) {
        match socket.transport_type() {
            TransportType::Polling => self.close_polling(socket).await,
            TransportType::Websocket => {
                if let Some(wire) = self.transports.wire(socket) {
                    wire.close(&GOODBYE);
                }
            }
        }
    }

    /// Closes the transport of a socket whose client does not read, and drops what was emitted to it.
    pub(crate) async fn abort(&self, socket: &SocketRef) {
        match socket.transport_type() {
            TransportType::Polling => self.close_polling(socket).await,
            TransportType::Websocket => {
                if let Some(wire) = self.transports.wire(socket) {
                    wire.abort(&GOODBYE);
                }
            }
        }
    }

    async fn close_polling(&self, socket: &SocketRef) {
        let (version, goodbye) = match socket.protocol() {
            ProtocolVersion::V4 => (3, "1:1"),
            ProtocolVersion::V5 => (4, "1"),
        };
        let uri = format!("/socket.io/?EIO={version}&transport=polling&sid={}", socket.id);
        let request = Request::post(uri).header(header::CONTENT_TYPE, "text/plain").body(Body::from(goodbye));
        let (Ok(request), Some(engine)) = (request, self.engine.get().cloned()) else { return };
        if let Ok(response) = engine.oneshot(request).await
            && !response.status().is_success()
        {
            tracing::debug!(status = %response.status(), "polling transport already closed");
        }
    }
}
