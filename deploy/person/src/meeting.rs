//! Two clients are matched.

use crate::{Person, Socket};
use serde_json::json;

/// Two clients in one room, the first from vent, the second from listen.
///
/// # Errors
/// When a gateway refuses one of them, or they are not matched in time.
pub async fn pair(first: &str, second: &str) -> anyhow::Result<[(Person, Socket); 2]> {
    let people = [queued(first, "vent").await?, queued(second, "listen").await?];
    for (_, socket) in &people {
        socket.wait_for("user_connected").await?;
    }
    Ok(people)
}

/// A new user who waits in this queue.
async fn queued(gateway: &str, queue: &str) -> anyhow::Result<(Person, Socket)> {
    let person = Person::arrive(gateway).await?;
    let socket = person.connect(gateway).await?;
    socket.request_data("request_queue", json!({"queue": queue})).await?;
    Ok((person, socket))
}
