//! REST: the route table, and one short function a route. The bodies are those of the two legacy clients, which differ
//! in form.

use crate::{
    api::{
        draft::Draft,
        error::{ApiError, Envelope},
    },
    app::Shared,
    http::body::{Body, Raw, parse},
    telemetry::spans,
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    middleware,
    routing::{get, post},
};
use proto::{Message, Queue, UserId};
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

type Reply<T> = Result<Json<Envelope<T>>, ApiError>;
type Created<T> = Result<(StatusCode, Json<Envelope<T>>), ApiError>;

/// All routes.
pub(crate) fn routes(app: Shared) -> Router {
    Router::new()
        .route("/auth", get(new_user))
        .route("/queue", post(queue))
        .route("/messages", post(send_message))
        .route("/likes", post(like_message))
        .route("/typing", post(typing))
        .route_layer(middleware::from_fn(spans::request))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .with_state(app)
}

fn success<T>(data: T) -> Json<Envelope<T>> {
    Json(Envelope::success(data))
}

/// A new user, as the original had them.
#[derive(Serialize)]
struct NewUser {
    user_id: UserId,
    secret: String,
    #[serde(rename = "queueType")]
    queue_type: &'static str,
    time: f64,
    room: &'static str,
    sid: Option<()>,
}

async fn new_user(State(app): State<Shared>) -> Reply<NewUser> {
    let user_id = UserId::new();
    let secret = app.secrets.sign(user_id)?;
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    Ok(success(NewUser { user_id, secret, queue_type: "idle", time, room: "lonely", sid: None }))
}

#[derive(Deserialize)]
struct QueueBody {
    secret: String,
    #[serde(rename = "queueType")]
    queue_type: Queue,
}

/// The reply to POST /queue: a sentence, or the new user.
#[derive(Serialize)]
#[serde(untagged)]
enum Queued {
    Sentence(String),
    NewUser { id: UserId, secret: String },
}

async fn queue(State(app): State<Shared>, Raw(body): Raw) -> Reply<Queued> {
    if body.is_empty() {
        return queue_new_user(&app).await;
    }
    let QueueBody { secret, queue_type } = parse(&body)?;
    let user = app.secrets.verify(&secret)?;
    spans::record_user(user);
    app.rate_limits.check_user(user)?;
    app.backend.request_queue(user, queue_type, app.config.settle).await?;
    Ok(success(Queued::Sentence(format!("You wait in the {queue_type} queue."))))
}

async fn queue_new_user(app: &Shared) -> Reply<Queued> {
    let id = UserId::new();
    spans::record_user(id);
    let secret = app.secrets.sign(id)?;
    app.backend.request_queue(id, Queue::Talk, app.config.settle).await?;
    Ok(success(Queued::NewUser { id, secret }))
}

/// Both forms of a message: `message` and `nonce`, or `content`, `message_id` and `user_id`.
#[derive(Deserialize)]
struct MessageBody {
    secret: String,
    message: Option<String>,
    nonce: Option<String>,
    content: Option<String>,
    message_id: Option<String>,
    user_id: Option<UserId>,
}

impl MessageBody {
    fn draft(self) -> Result<Draft, ApiError> {
        let missing = |field| ApiError::bad(format!("missing field `{field}`"));
        if self.content.is_some() || self.message_id.is_some() {
            self.user_id.ok_or_else(|| missing("user_id"))?;
            let nonce = self.message_id.ok_or_else(|| missing("message_id"))?;
            Draft::new(nonce, self.content.ok_or_else(|| missing("content"))?)
        } else {
            let content = self.message.ok_or_else(|| missing("message"))?;
            Draft::new(self.nonce.ok_or_else(|| missing("nonce"))?, content)
        }
    }
}

async fn send_message(State(app): State<Shared>, Body(body): Body<MessageBody>) -> Created<Message> {
    let user = verify(&app, &body.secret, body.user_id)?;
    let draft = body.draft()?;
    // One deadline for all of it: the author's lock, looking up the room, and the reply.
    let stored = tokio::time::timeout(app.config.result_deadline, store(&app, user, draft));
    Ok((StatusCode::CREATED, success(stored.await.map_err(|_| ApiError::Unavailable)??)))
}

/// Publishes a message under its author's lock, and waits for the reply without it.
async fn store(app: &Shared, user: UserId, draft: Draft) -> Result<Message, ApiError> {
    let pending = {
        let _lock = app.author_locks.lock(user).await;
        let membership = app.membership(user).await?;
        app.backend.send_message(user, membership.room, draft).await?
    };
    pending.reply().await.map_err(ApiError::from)
}

#[derive(Deserialize)]
struct LikeBody {
    secret: String,
    message_id: String,
}

async fn like_message(State(app): State<Shared>, Body(body): Body<LikeBody>) -> Reply<&'static str> {
    let user = verify(&app, &body.secret, None)?;
    let membership = app.membership(user).await?;
    let pending = app.backend.like_message(user, membership.room, &body.message_id).await?;
    pending.reply().await.map_err(ApiError::from)?;
    Ok(success("You like this message."))
}

#[derive(Deserialize)]
struct TypingBody {
    user_id: UserId,
    secret: String,
    typing: bool,
}

async fn typing(State(app): State<Shared>, Body(body): Body<TypingBody>) -> Created<&'static str> {
    let user = verify(&app, &body.secret, Some(body.user_id))?;
    let membership = app.membership(user).await?;
    app.backend.notify_typing(membership, body.typing).await?;
    Ok((StatusCode::CREATED, success("Your partner is notified.")))
}

/// The user of a secret, counted against the rate limit. A user id beside it has to fit.
fn verify(app: &Shared, secret: &str, claimed: Option<UserId>) -> Result<UserId, ApiError> {
    let user = app.secrets.verify(secret)?;
    spans::record_user(user);
    if claimed.is_some_and(|claimed| claimed != user) {
        return Err(ApiError::UnknownSecret);
    }
    app.rate_limits.check_user(user)?;
    Ok(user)
}
