//! The task of a session: it handles what the client sends and what the bus brings, one after the other, so that nothing
//! overtakes anything.

use crate::{
    api::client_event::ClientEventName,
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
    socket::inbound::{InboundEvent, InboundQueue, at},
    telemetry::{
        metrics::{REQUESTS, SLOW_SOCKETS_CLOSED},
        spans,
    },
};
use proto::notification::QueueStatus;
use socketioxide::extract::SocketRef;
use std::{future::pending, sync::Arc};
use tokio::sync::watch;
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

/// What a session does next.
enum Work {
    ClientEvent(Box<InboundEvent>),
    Notification(async_nats::Message),
    Resync,
    QueueStatus(QueueStatus),
    HandOver,
    GiveUp,
    Replay,
    Requeue,
}

/// Handles everything until the socket is closed, or let go.
async fn run(session: &mut Session, mut inbound: InboundQueue, authenticated: Option<Authenticated>) {
    let mut status = session.app.queue_status.clone();
    if let Some(Authenticated { user, last_seq }) = authenticated {
        inbound.buffer_while(identifying::identify(session, user, last_seq)).await;
    }
    while !close_if_slow(session).await {
        let Some(work) = next_work(session, &mut inbound, &mut status).await else { return };
        do_work(session, &mut inbound, work).await;
    }
}

/// Waits for what comes first; none when the socket is closed, or let go.
async fn next_work(
    session: &mut Session,
    inbound: &mut InboundQueue,
    status: &mut watch::Receiver<QueueStatus>,
) -> Option<Work> {
    let Session { leave, closed, outbox, user, .. } = session;
    let waiting = user.as_ref().is_some_and(|user| user.location.waiting().is_some());
    if !waiting {
        // A status of the time before they waited is none for them.
        status.mark_unchanged();
    }
    let replay_at = user.as_ref().and_then(|user| user.replay.due_at()).filter(|_| !outbox.is_blocked());
    let requeue_at = user.as_ref().and_then(|user| user.requeue.due_at());
    tokio::select! {
        biased;
        () = leave.cancelled() => None,
        // What the client sent before it closed comes before its close.
        Some(event) = inbound.next() => Some(Work::ClientEvent(event)),
        () = closed.closed() => None,
        incoming = next_of(user) => Some(match incoming {
            Incoming::Notification(message) => Work::Notification(message),
            Incoming::Resync => Work::Resync,
        }),
        Ok(()) = status.changed(), if waiting => Some(Work::QueueStatus(*status.borrow_and_update())),
        () = outbox.progress(), if outbox.is_blocked() => Some(Work::HandOver),
        () = at(outbox.gives_up_at()) => Some(Work::GiveUp),
        () = at(replay_at) => Some(Work::Replay),
        () = at(requeue_at) => Some(Work::Requeue),
    }
}

/// The table of what a session does; events of the client are buffered while it waits for the bus.
async fn do_work(session: &mut Session, inbound: &mut InboundQueue, work: Work) {
    match work {
        Work::ClientEvent(event) => {
            metrics::counter!(REQUESTS, "via" => "socket").increment(1);
            let span = spans::client_event(event.name.map(ClientEventName::as_str), session.user_id());
            inbound.buffer_while(requests::handle(session, *event).instrument(span)).await;
        }
        Work::Notification(message) => {
            let span = spans::notification(session.user_id(), &message);
            inbound.buffer_while(notifications::handle(session, &message).instrument(span)).await;
        }
        Work::Resync => inbound.buffer_while(resync::resync(session)).await,
        Work::QueueStatus(waiting) => notifications::queue_status(session, waiting),
        Work::HandOver => session.outbox.resume(),
        Work::GiveUp => session.outbox.give_up(),
        Work::Replay => inbound.buffer_while(replay::step(session)).await,
        Work::Requeue => inbound.buffer_while(resync::requeue(session)).await,
    }
}

/// Closes the connection of a client that does not read; it learns the rest when it is back.
async fn close_if_slow(session: &mut Session) -> bool {
    let slow = session.outbox.has_overflowed();
    if slow {
        metrics::counter!(SLOW_SOCKETS_CLOSED).increment(1);
        tracing::info!(user.id = session.user_id().map(tracing::field::display), "slow socket closed");
        session.app.closer.abort(session.outbox.socket()).await;
        // Its disconnect is on the way.
        session.leave.run_until_cancelled(session.closed.closed()).await;
    }
    slow
}

async fn next_of(user: &mut Option<SessionUser>) -> Incoming {
    match user {
        Some(user) => user.identity.next().await,
        None => pending().await,
    }
}
