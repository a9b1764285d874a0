//! Meeting: how long a crowd takes until everybody has a partner.

use crate::measure::Times;
use futures_util::future::try_join_all;
use local::Stack;
use person::{Person, Socket};
use serde_json::{Value, json};
use std::time::Instant;

pub(crate) async fn come(gateway: &str) -> anyhow::Result<Socket> {
    Person::arrive(gateway).await?.connect(gateway).await
}

pub(crate) async fn measure(stack: &Stack, crowd: usize) -> anyhow::Result<()> {
    let urls = stack.gateway_urls();
    let mut sockets = Vec::new();
    for n in 0..crowd {
        sockets.push(come(&urls[n % urls.len()]).await?);
    }
    let started = Instant::now();
    let waits = try_join_all(sockets.iter().enumerate().map(|(n, socket)| async move {
        let asked = Instant::now();
        let queue = ["vent", "listen", "talk", "talk"][n % 4];
        socket.request_data("request_queue", json!({"queue": queue})).await?;
        socket.wait_for("queue_complete").await?;
        anyhow::Ok(asked.elapsed())
    }))
    .await?;
    let took = started.elapsed();
    let mut times = Times::new()?;
    for wait in waits {
        times.note(wait);
    }
    println!("{crowd} people at once: all matched in {:.2} s, {times}", took.as_secs_f64());
    println!("           {:.0} pairs/s", crowd as f64 / 2.0 / took.as_secs_f64());
    for socket in &sockets {
        // Whoever comes second finds that it is over.
        let _left: Value = socket.request("leave_room", Value::Null).await?;
    }
    Ok(())
}
