//! A chat-store under test, in this process or as one of its own.

use crate::world::PATIENCE;
use chat_store::Config;
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// A chat-store in this process.
pub(crate) struct Replica {
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: JoinHandle<anyhow::Result<()>>,
}

impl Replica {
    pub(crate) fn of(config: Config) -> Self {
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(chat_store::run(config, shutdown.clone()));
        Self { shutdown, running }
    }

    /// Ends it like a drain does.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.running).await.expect("it stops").expect("no panic").expect("no failure");
    }
}

/// Sends a signal to a process: STOP, CONT or TERM.
pub(crate) async fn signal(process: &Child, name: &str) {
    let id = process.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status().await.expect("kill");
    assert!(sent.success(), "SIG{name} to {id}");
}
