//! Reading JSON bodies, with errors in the envelope. The content type is not looked at: one of
//! the old clients sends none.

use crate::error::ApiError;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::StatusCode,
    response::IntoResponse as _,
};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long a client may take to send a body.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A body as it came.
pub(crate) struct Raw(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let read = tokio::time::timeout(READ_TIMEOUT, Bytes::from_request(request, state)).await;
        read.map_err(|_| ApiError::bad("the body took too long"))?.map(Self).map_err(unread)
    }
}

/// A body of JSON with this shape.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Raw(bytes) = Raw::from_request(request, state).await?;
        read(&bytes).map(Self)
    }
}

fn unread(rejection: BytesRejection) -> ApiError {
    match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
        _ => ApiError::bad("the body broke off"),
    }
}

/// Reads a JSON object.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // A list would be taken for the fields in their order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::bad("the body is no JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| ApiError::bad(format!("the body is not what is expected: {error}")))
}
