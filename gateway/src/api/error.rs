//! The errors of the API, and the envelope of every reply, REST and acknowledgement alike.

use crate::telemetry::{metrics::REJECTED, spans};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use proto::Refusal;
use serde::Serialize;
use std::time::Duration;
use strum::{IntoStaticStr, VariantNames};

/// Why a request is rejected. The sentence is for people, the code for programs.
#[derive(Clone, Debug, PartialEq, thiserror::Error, IntoStaticStr, VariantNames)]
#[cfg_attr(test, derive(strum::EnumIter))]
#[strum(serialize_all = "snake_case")]
pub(crate) enum ApiError {
    #[error("{0}")]
    BadRequest(String),
    #[error("this secret is not known; get a new one with GET /auth")]
    #[strum(serialize = "unauthorized")]
    UnknownSecret,
    #[error("say who you are first: send your secret")]
    Unidentified,
    #[error("you wait in a queue already")]
    AlreadyWaiting,
    #[error("you are in a room already; leave it first")]
    InRoom,
    #[error("you are in no room; ask for a partner first")]
    NotInRoom,
    #[error("there is no such message in your room")]
    UnknownMessage,
    #[error("this conversation is as long as one may be; nothing more can be kept in it")]
    RoomFull,
    #[error("this origin may not use this server")]
    ForeignOrigin,
    #[error("there is nothing here")]
    NotFound,
    #[error("this address does not answer to that method")]
    MethodNotAllowed,
    #[error("this is too large; at most {MAX_BODY} bytes")]
    TooLarge,
    #[error("there is no event with this name")]
    UnknownEvent,
    #[error("too many requests; try again in {} ms", .0.as_millis())]
    #[strum(serialize = "too_many_requests")]
    TooMany(Duration),
    #[error("this came too late and changed nothing; ask again")]
    Outdated,
    #[error("this could not be kept right now; sending it again is safe")]
    Unavailable,
}

/// The largest body or frame that is read, in bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;

impl ApiError {
    /// A request that is not what it should be.
    pub(crate) fn bad(sentence: impl Into<String>) -> Self {
        Self::BadRequest(sentence.into())
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::UnknownEvent => StatusCode::BAD_REQUEST,
            Self::UnknownSecret
            | Self::Unidentified
            | Self::AlreadyWaiting
            | Self::InRoom
            | Self::NotInRoom
            | Self::RoomFull
            | Self::ForeignOrigin => StatusCode::FORBIDDEN,
            Self::UnknownMessage | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Outdated | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Stable name for programs; one of [`Self::VARIANTS`].
    pub(crate) fn code(&self) -> &'static str {
        self.into()
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany(wait) => Some(*wait),
            Self::Outdated | Self::Unavailable => Some(Duration::from_secs(1)),
            _ => None,
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AlreadyWaiting => Self::AlreadyWaiting,
            Refusal::InRoom => Self::InRoom,
            Refusal::NotInRoom => Self::NotInRoom,
            Refusal::UnknownMessage => Self::UnknownMessage,
            Refusal::RoomFull => Self::RoomFull,
            Refusal::Outdated => Self::Outdated,
            Refusal::Failed => Self::Unavailable,
        }
    }
}

/// Counts a rejected request, and records its error code in the current span.
pub(crate) fn count_rejection(error: &ApiError) {
    metrics::counter!(REJECTED, "reason" => error.code()).increment(1);
    spans::record_error(error.code());
}

/// The envelope of every reply.
#[derive(Serialize)]
pub(crate) struct Envelope<T> {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl<T> Envelope<T> {
    /// Of a request that succeeded.
    pub(crate) fn success(data: T) -> Self {
        Self { success: true, data: Some(data), error: None, code: None, retry_after_ms: None }
    }

    /// With all that a program wants to know, for acknowledgements.
    pub(crate) fn of(result: Result<T, ApiError>) -> Self {
        match result {
            Ok(data) => Self::success(data),
            Err(error) => Self {
                success: false,
                data: None,
                code: Some(error.code()),
                retry_after_ms: error.retry_after().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
                error: Some(error.to_string()),
            },
        }
    }
}

impl IntoResponse for ApiError {
    // Status and headers say what `code` and `retry_after_ms` say in an acknowledgement.
    fn into_response(self) -> Response {
        count_rejection(&self);
        let (status, retry_after) = (self.status(), self.retry_after());
        let envelope = Envelope { code: None, retry_after_ms: None, ..Envelope::<()>::of(Err(self)) };
        let mut response = (status, Json(envelope)).into_response();
        if let Some(wait) = retry_after {
            let seconds = wait.as_millis().div_ceil(1000).to_string();
            if let Ok(seconds) = HeaderValue::from_str(&seconds) {
                response.headers_mut().insert(header::RETRY_AFTER, seconds);
            }
        }
        response
    }
}
