//! The task of a session: it handles what the client sends and what the bus brings, one after the other, so that nothing
//! overtakes anything.

use crate::{
    app::Shared,
    session::{
        identifying, notifications,
        parts::{
            client::{Authenticated, ClientKind, Closed},
            identity::Incoming,
            outbox::Outbox,
        },
        replay, requests, resync,
        state::{Session, SessionUser},
    },
    socket::inbound::{InboundQueue, at},
    telemetry::{
        metrics::{REQUESTS, SLOW_SOCKETS_CLOSED},
        spans,
    },
};
use socketioxide::extract::SocketRef;
use std::{future::pending, sync::Arc};
use tracing::Instrument as _;

/// Starts the session of a socket.
pub(crate) fn start(
    app: &Shared,
    socket: SocketRef,
    closed: Arc<Closed>,
    inbound: InboundQueue,
    authenticated: Option<Authenticated>,
) {
    let client = if authenticated.is_some() { ClientKind::Current } else { ClientKind::Legacy };
    let (registered, counted) = (app.sessions.register(&socket), client.count());
    let flow = app.transports.register(&socket);
    let outbox = Outbox::new(socket, flow, app.config.patience());
    let mut session = Session::new(app.clone(), client, closed, registered.leave(), outbox);
    app.tasks.spawn(async move {
        run(&mut session, inbound, authenticated).await;
        identifying::end(&mut session).await;
        drop((registered, counted));
    });
}

/// Handles everything until the socket is closed, or let go.
async fn run(session: &mut Session, mut inbound: InboundQueue, authenticated: Option<Authenticated>) {
    let mut status = session.app.queue_status.clone();
    if let Some(Authenticated { user, last_seq }) = authenticated {
        inbound.buffer_while(identifying::identify(session, user, last_seq)).await;
    }
    let (leave, closed) = (session.leave.clone(), session.closed.clone());
    loop {
        if close_if_slow(session).await {
            break;
        }
        let waiting = session.user.as_ref().is_some_and(|user| user.location.waiting().is_some());
        if !waiting {
            // A status of the time before they waited is none for them.
            status.mark_unchanged();
        }
        let (blocked, gives_up_at) = (session.outbox.is_blocked(), session.outbox.gives_up_at());
        let replay_at = session.user.as_ref().and_then(|user| user.replay.due_at()).filter(|_| !blocked);
        let requeue_at = session.user.as_ref().and_then(|user| user.requeue.due_at());
        tokio::select! {
            biased;
            () = leave.cancelled() => break,
            // What the client sent before it closed comes before its close.
            Some(event) = inbound.next() => {
                metrics::counter!(REQUESTS, "via" => "socket").increment(1);
                let span = spans::client_event(event.name.map(|name| name.as_str()), session.user_id());
                inbound.buffer_while(requests::handle(session, *event).instrument(span)).await;
            }
            () = closed.closed() => break,
            incoming = next(&mut session.user) => match incoming {
                Incoming::Notification(message) => {
                    let span = spans::notification(session.user_id(), &message);
                    inbound.buffer_while(notifications::handle(session, &message).instrument(span)).await;
                }
                Incoming::Resync => inbound.buffer_while(resync::resync(session)).await,
            },
            Ok(()) = status.changed(), if waiting => {
                let waiting = *status.borrow_and_update();
                notifications::queue_status(session, waiting);
            }
            () = session.outbox.progress(), if blocked => session.outbox.resume(),
            () = at(gives_up_at) => session.outbox.give_up(),
            () = at(replay_at) => inbound.buffer_while(replay::step(session)).await,
            () = at(requeue_at) => inbound.buffer_while(resync::requeue(session)).await,
        }
    }
}

/// Closes the connection of a client that does not read; it learns the rest when it is back.
async fn close_if_slow(session: &mut Session) -> bool {
    let slow = session.outbox.has_overflowed();
    if slow {
        metrics::counter!(SLOW_SOCKETS_CLOSED).increment(1);
        tracing::info!(user.id = session.user_id().map(tracing::field::display), "slow socket closed");
        session.app.closer.abort(session.outbox.socket()).await;
        session.closed.closed().await;
    }
    slow
}

async fn next(user: &mut Option<SessionUser>) -> Incoming {
    match user {
        Some(user) => user.identity.next().await,
        None => pending().await,
    }
}
