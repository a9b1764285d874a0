//! Messages: pairs in which one writes without pause, each message after the acknowledgement of
//! the one before.

use crate::{
    floor::Floor,
    measure::{Times, cpu},
};
use futures_util::future::try_join_all;
use local::Stack;
use person::{Socket, pair};
use serde_json::Value;
use std::time::{Duration, Instant};

/// One pair's times.
struct Said {
    acknowledged: Times,
    heard: Times,
}

pub(crate) async fn measure(stack: &Stack, pairs: usize, seconds: u64, floor: &Floor) -> anyhow::Result<()> {
    let urls = stack.gateway_urls();
    let mut rooms = Vec::new();
    for n in 0..pairs {
        let [(_, author), (_, partner)] = pair(&urls[n % urls.len()], &urls[(n + 1) % urls.len()]).await?;
        rooms.push((author, partner));
    }
    let (before, started) = (cpu(stack), Instant::now());
    let until = started + Duration::from_secs(seconds);
    let talking = rooms.iter().map(|(author, partner)| talk(author, partner, until));
    let (mut acknowledged, mut heard) = (Times::new()?, Times::new()?);
    for said in try_join_all(talking).await? {
        acknowledged.add(&said.acknowledged)?;
        heard.add(&said.heard)?;
    }
    let took = started.elapsed().as_secs_f64();
    let count = acknowledged.count() as f64;
    println!("{pairs:3} pairs: {:6.0} messages/s", count / took);
    println!("           acknowledged  {acknowledged}   {:.1} x the floor", acknowledged.at(0.5) / floor.kept_ms);
    println!("           heard         {heard}   {:.1} x the floor", heard.at(0.5) / floor.kept_ms);
    let used = before
        .iter()
        .zip(cpu(stack))
        .map(|((name, before), (_, after))| format!("{name} {:.2} s", (after - before) * 1000.0 / count));
    println!("           CPU for 1000 messages: {}", used.collect::<Vec<_>>().join(", "));
    for (author, _) in &rooms {
        author.request_data("leave_room", Value::Null).await?;
    }
    Ok(())
}

async fn talk(author: &Socket, partner: &Socket, until: Instant) -> anyhow::Result<Said> {
    let mut said = Said { acknowledged: Times::new()?, heard: Times::new()? };
    while Instant::now() < until {
        let started = Instant::now();
        let (acknowledged, heard) = tokio::join!(timed(author.send("It was a long day."), started), async {
            timed(partner.wait_for("send_message_to_client"), started).await
        });
        said.acknowledged.note(acknowledged?);
        said.heard.note(heard?);
    }
    Ok(said)
}

async fn timed<T>(work: impl Future<Output = anyhow::Result<T>>, started: Instant) -> anyhow::Result<Duration> {
    work.await?;
    Ok(started.elapsed())
}
