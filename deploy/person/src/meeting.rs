//! Two people meet.

use crate::{Person, Socket};
use serde_json::json;

/// Two people in a room: one came to vent, the other to listen.
///
/// # Errors
/// When a gateway refuses one of them, or they do not meet in time.
pub async fn pair(first: &str, second: &str) -> anyhow::Result<[(Person, Socket); 2]> {
    let people = [queued(first, "vent").await?, queued(second, "listen").await?];
    for (_, socket) in &people {
        socket.wait_for("user_connected").await?;
    }
    Ok(people)
}

/// Somebody who has just come and waits.
async fn queued(gateway: &str, queue: &str) -> anyhow::Result<(Person, Socket)> {
    let person = Person::arrive(gateway).await?;
    let socket = person.connect(gateway).await?;
    socket.get("request_queue", json!({"queue": queue})).await?;
    Ok((person, socket))
}
