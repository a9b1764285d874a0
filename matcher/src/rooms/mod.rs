//! What happens to a room: it is announced, its members are notified of each other's connections, it is closed. Each
//! step can be repeated after a crash.

pub(crate) mod announce;
pub(crate) mod closing;
pub(crate) mod partner;

use futures_util::{StreamExt as _, stream};

/// How many users or rooms are changed concurrently.
const CONCURRENCY: usize = 32;

/// Takes a step with each concurrently, since each waits for the journal; with all of them, whichever fails.
///
/// # Errors
/// The first that there was.
pub(crate) async fn for_each<T, F>(all: Vec<T>, step: impl Fn(T) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let steps: Vec<F> = all.into_iter().map(step).collect();
    stream::iter(steps).buffer_unordered(CONCURRENCY).fold(Ok(()), async |first, next| first.and(next)).await
}
