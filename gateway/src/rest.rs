//! REST: the route table, and one short function a route. The bodies are those of two old
//! front-ends, which differ in form.

use crate::{
    body::{Body, Raw, read},
    error::{ApiError, Envelope},
    spans,
    state::{Draft, Shared},
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

type Answer<T> = Result<Json<Envelope<T>>, ApiError>;
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

fn good<T>(data: T) -> Json<Envelope<T>> {
    Json(Envelope::good(data))
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

async fn new_user(State(app): State<Shared>) -> Answer<NewUser> {
    let user_id = UserId::new();
    let secret = app.secrets.sign(user_id)?;
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    Ok(good(NewUser { user_id, secret, queue_type: "idle", time, room: "lonely", sid: None }))
}

#[derive(Deserialize)]
struct QueueBody {
    secret: String,
    #[serde(rename = "queueType")]
    queue_type: Queue,
}

/// What POST /queue answers: a sentence, or who the caller is from now on.
#[derive(Serialize)]
#[serde(untagged)]
enum Queued {
    Sentence(String),
    NewUser { id: UserId, secret: String },
}

async fn queue(State(app): State<Shared>, Raw(body): Raw) -> Answer<Queued> {
    if body.is_empty() {
        return queue_newcomer(&app).await;
    }
    let QueueBody { secret, queue_type } = read(&body)?;
    let user = app.secrets.verify(&secret)?;
    spans::note_user(user);
    app.limits.act(user)?;
    app.queue(user, queue_type, app.config.settle).await?;
    Ok(good(Queued::Sentence(format!("You wait in the {queue_type} queue."))))
}

async fn queue_newcomer(app: &Shared) -> Answer<Queued> {
    let id = UserId::new();
    spans::note_user(id);
    let secret = app.secrets.sign(id)?;
    app.queue(id, Queue::Talk, app.config.settle).await?;
    Ok(good(Queued::NewUser { id, secret }))
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
    // One deadline for all of it: the turn, the question where the author is, and the result.
    let stored = tokio::time::timeout(app.config.result_deadline, keep(&app, user, draft));
    Ok((StatusCode::CREATED, good(stored.await.map_err(|_| ApiError::Unavailable)??)))
}

async fn keep(app: &Shared, user: UserId, draft: Draft) -> Result<Message, ApiError> {
    let stored = {
        let _turn = app.lanes.turn(user).await;
        let membership = app.membership(user).await?;
        app.send(user, membership.room, draft).await?
    };
    stored.result().await
}

#[derive(Deserialize)]
struct LikeBody {
    secret: String,
    message_id: String,
}

async fn like_message(State(app): State<Shared>, Body(body): Body<LikeBody>) -> Answer<&'static str> {
    let user = verify(&app, &body.secret, None)?;
    let membership = app.membership(user).await?;
    app.like(user, membership.room, &body.message_id).await?;
    Ok(good("You like this message."))
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
    app.typing(membership, body.typing).await?;
    Ok((StatusCode::CREATED, good("Your partner is told.")))
}

/// Whose secret it is, counted against the limit. A user id beside it has to fit.
fn verify(app: &Shared, secret: &str, claimed: Option<UserId>) -> Result<UserId, ApiError> {
    let user = app.secrets.verify(secret)?;
    spans::note_user(user);
    if claimed.is_some_and(|claimed| claimed != user) {
        return Err(ApiError::UnknownSecret);
    }
    app.limits.act(user)?;
    Ok(user)
}
