//! Delays between attempts, for every retry.

use backon::{BackoffBuilder as _, ExponentialBuilder};
use std::time::Duration;

/// Delays between attempts, with jitter, without end: 50 ms, 100 ms, … 1 s.
pub fn delays() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(1))
        .with_jitter()
        .without_max_times()
        .build()
}

/// Retries until it works, with [`delays`] in between.
pub async fn until_ok<T, E, F: Future<Output = Result<T, E>>>(
    mut attempt: impl FnMut() -> F,
    mut on_failure: impl FnMut(&E),
) -> T {
    let mut delays = delays();
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => on_failure(&error),
        }
        tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(1))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_fails_at_first_is_repeated_until_it_works() {
        let (mut attempts, mut failures) = (0, 0);
        let done = until_ok(
            || {
                attempts += 1;
                std::future::ready(if attempts < 4 { Err("not yet") } else { Ok(attempts) })
            },
            |_| failures += 1,
        )
        .await;
        assert_eq!((done, failures), (4, 3));
    }
}
