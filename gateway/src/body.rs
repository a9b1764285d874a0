//! Reading JSON bodies, with errors in the envelope. The content type is not looked at: one of
//! the old clients sends none.

use crate::error::{ApiError, MAX_BODY};
use axum::{
    body::Body as Incoming,
    extract::{FromRequest, Request},
};
use futures_util::{Stream, StreamExt as _};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long a client may take to send a body.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a body that is too large is read and dropped: a connection that is closed while
/// the client still sends takes the answer with it.
const DROPPED: usize = 8 * 1024 * 1024;

/// A body as it came.
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let reading = tokio::time::timeout(READ_TIMEOUT, whole(request.into_body()));
        reading.await.map_err(|_| ApiError::bad("the body took too long"))?.map(Self)
    }
}

async fn whole(body: Incoming) -> Result<Vec<u8>, ApiError> {
    let mut parts = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| ApiError::bad("the body broke off"))?;
        if whole.len() + part.len() > MAX_BODY {
            drop_the_rest(parts).await;
            return Err(ApiError::TooLarge);
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole)
}

async fn drop_the_rest<B: AsRef<[u8]>, E>(mut parts: impl Stream<Item = Result<B, E>> + Unpin) {
    let mut dropped = 0;
    while let Some(Ok(part)) = parts.next().await {
        dropped += part.as_ref().len();
        if dropped > DROPPED {
            return;
        }
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

/// Reads a JSON object.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // A list would be taken for the fields in their order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::bad("the body is no JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| ApiError::bad(format!("the body is not what is expected: {error}")))
}
