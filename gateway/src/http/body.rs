//! Reading JSON bodies, with errors in the envelope. The content type is not looked at: one of the legacy clients sends
//! none.

use crate::api::error::{ApiError, MAX_BODY};
use axum::{
    body::Body as Incoming,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long a client may take to send a body.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a body that is too large is read and dropped, in bytes: a connection that is closed while the client
/// still sends takes the reply with it.
const DRAINED: usize = 8 * 1024 * 1024;

/// A body as it came.
pub(crate) struct Raw(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let reading = tokio::time::timeout(READ_TIMEOUT, whole(request.into_body()));
        reading.await.map_err(|_| ApiError::bad("the body took too long"))?.map(Self)
    }
}

/// The whole body, [`MAX_BODY`] at most. `axum::body::to_bytes` would drop the rest of a longer one.
async fn whole(mut body: Incoming) -> Result<Bytes, ApiError> {
    match Limited::new(&mut body, MAX_BODY).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            drain(body).await;
            Err(ApiError::TooLarge)
        }
        Err(_broken_off) => Err(ApiError::bad("the body broke off")),
    }
}

/// Reads the rest of a body and drops it, [`DRAINED`] at most.
async fn drain(mut body: Incoming) {
    let mut drained = 0;
    while let Some(Ok(frame)) = body.frame().await {
        drained += frame.data_ref().map_or(0, Bytes::len);
        if drained > DRAINED {
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
        parse(&bytes).map(Self)
    }
}

/// Parses a JSON object.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // A list would be taken for the fields in their order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::bad("the body is no JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| ApiError::bad(format!("the body is not what is expected: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;
    use serde_json::Value;

    async fn read(length: usize) -> Result<usize, ApiError> {
        whole(Incoming::from(vec![b'x'; length])).await.map(|bytes| bytes.len())
    }

    #[tokio::test]
    async fn a_body_within_the_limit_is_read_and_a_longer_one_refused() {
        assert_eq!(read(MAX_BODY).await, Ok(MAX_BODY));
        assert_eq!(read(MAX_BODY + 1).await, Err(ApiError::TooLarge));
    }

    #[tokio::test]
    async fn the_rest_of_a_body_that_is_too_large_is_read_so_that_the_reply_arrives() {
        let (sent, part) = (std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)), 16 * 1024);
        let counted = sent.clone();
        let parts = futures_util::stream::iter(0..100).map(move |_| {
            counted.fetch_add(part, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; part]))
        });
        assert_eq!(whole(Incoming::from_stream(parts)).await, Err(ApiError::TooLarge));
        assert_eq!(sent.load(std::sync::atomic::Ordering::Relaxed), 100 * part);
    }

    #[test]
    fn only_an_object_is_a_body() {
        for (text, good) in [("{}", true), (" {\"a\":1}", true), ("[]", false), ("7", false), ("{", false), ("", false)]
        {
            assert_eq!(parse::<Value>(text.as_bytes()).is_ok(), good, "{text}");
        }
    }
}
