//! The tasks of a process: one that ends without an order ends the process with an error.

use anyhow::{Context as _, anyhow};
use std::future::Future;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Supervises the tasks of a service. Dropping it aborts them.
pub struct Supervisor {
    shutdown: CancellationToken,
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    background: JoinSet<(&'static str, anyhow::Result<()>)>,
}

impl Supervisor {
    /// Tasks may end once `shutdown` is cancelled.
    #[must_use]
    pub fn new(shutdown: &CancellationToken) -> Self {
        Self { shutdown: shutdown.clone(), tasks: JoinSet::new(), background: JoinSet::new() }
    }

    /// Starts a task that ends by itself after the shutdown.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.tasks.spawn(async move { (name, task.await) });
    }

    /// Starts a task that never ends, and is aborted when all others have.
    pub fn spawn_background(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.background.spawn(async move { (name, task.await) });
    }

    /// Waits until all tasks have ended after the shutdown.
    ///
    /// # Errors
    /// The first failure, panic, or end before the shutdown; then all others are aborted.
    pub async fn run(mut self) -> anyhow::Result<()> {
        loop {
            let ended = tokio::select! {
                ended = self.tasks.join_next() => match ended {
                    Some(ended) => ended,
                    None => return Ok(()),
                },
                Some(ended) = self.background.join_next() => {
                    let (name, result) = ended.context("a task panicked")?;
                    result.with_context(|| format!("task {name}"))?;
                    return Err(anyhow!("task {name} ended unexpectedly"));
                }
            };
            let (name, result) = ended.context("a task panicked")?;
            result.with_context(|| format!("task {name}"))?;
            if !self.shutdown.is_cancelled() {
                return Err(anyhow!("task {name} ended unexpectedly"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_end_that_nobody_ordered_is_an_error_and_an_ordered_one_is_not() {
        let shutdown = CancellationToken::new();
        let mut supervisor = Supervisor::new(&shutdown);
        let ordered = shutdown.clone();
        let until_ordered = async move {
            ordered.cancelled().await;
            Ok(())
        };
        supervisor.spawn("patient", until_ordered);
        supervisor.spawn_background("endless", std::future::pending());
        shutdown.cancel();
        supervisor.run().await.expect("ended in order");

        let shutdown = CancellationToken::new();
        for broken in [true, false] {
            let mut supervisor = Supervisor::new(&shutdown);
            supervisor.spawn("patient", std::future::pending());
            let task = async move { if broken { Err(anyhow!("broken")) } else { Ok(()) } };
            supervisor.spawn_background("hasty", task);
            assert!(supervisor.run().await.expect_err("noticed").to_string().contains("hasty"));
        }
        let mut supervisor = Supervisor::new(&shutdown);
        supervisor.spawn("panics", async { panic!("on purpose") });
        assert!(supervisor.run().await.is_err());
    }
}
