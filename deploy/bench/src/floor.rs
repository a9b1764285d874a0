//! What NATS and MongoDB take alone, one request after the other: no message can be kept faster.

use crate::measure::Times;
use anyhow::Context as _;
use bytes::Bytes;
use local::Stack;
use mongodb::{
    bson::{Document, doc},
    options::{Acknowledgment, CollectionOptions, WriteConcern},
};
use std::time::Instant;

const ROUNDS: usize = 1000;

/// The servers' own times.
pub(crate) struct Floor {
    /// A durable insert and a durable publication, one after the other, in milliseconds.
    pub(crate) kept_ms: f64,
}

pub(crate) async fn measure(stack: &Stack) -> anyhow::Result<Floor> {
    let (insert, publish) = (insert(stack).await?, publish(stack).await?);
    println!("floor: one durable insert in MongoDB        {insert}");
    println!("floor: one acknowledged JetStream publish   {publish}");
    Ok(Floor { kept_ms: insert.at(0.5) + publish.at(0.5) })
}

async fn insert(stack: &Stack) -> anyhow::Result<Times> {
    let client = mongodb::Client::with_uri_str(stack.mongodb_uri()).await?;
    let durable = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
    let options = CollectionOptions::builder().write_concern(durable).build();
    let collection = client.database("bench").collection_with_options::<Document>("floor", options);
    let mut times = Times::new()?;
    for n in 0..ROUNDS {
        let started = Instant::now();
        collection.insert_one(doc! {"n": i64::try_from(n)?, "text": "as long as a short message is"}).await?;
        times.note(started.elapsed());
    }
    client.database("bench").drop().await?;
    Ok(times)
}

async fn publish(stack: &Stack) -> anyhow::Result<Times> {
    let js = async_nats::jetstream::new(async_nats::connect(stack.nats_url()).await?);
    let name = "BENCH".to_owned();
    let config =
        async_nats::jetstream::stream::Config { name, subjects: vec!["bench".to_owned()], ..Default::default() };
    js.create_stream(config).await.context("a stream for the floor")?;
    let mut times = Times::new()?;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        js.publish("bench", Bytes::from_static(b"as long as a short message is")).await?.await?;
        times.note(started.elapsed());
    }
    js.delete_stream("BENCH").await?;
    Ok(times)
}
