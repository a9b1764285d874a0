//! A cluster and a replica set continue without any one of their members.

use std::time::Duration;

use async_nats::jetstream::{self, stream};
use mongodb::{
    Client,
    bson::{Document, doc},
};
use servers::{MongoSet, NatsCluster};
use tokio::time::{Instant, sleep};

async fn eventually<T, F: Future<Output = anyhow::Result<T>>>(mut attempt: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < deadline, "{error:#}"),
        }
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_stream_of_three_copies_survives_the_node_that_leads_it() -> anyhow::Result<()> {
    let cluster = NatsCluster::start(3).await?;
    let addresses: Vec<String> = cluster.url().split(',').map(ToOwned::to_owned).collect();
    let bus = jetstream::new(async_nats::connect(addresses).await?);
    let config = || stream::Config {
        name: "kept".into(),
        subjects: vec!["kept.>".into()],
        num_replicas: 3,
        ..Default::default()
    };
    eventually(async || Ok(bus.get_or_create_stream(config()).await?)).await;
    eventually(async || Ok(bus.publish("kept.one", "text".into()).await?.await?)).await;
    let leader = eventually(async || cluster.leader("kept").await).await;
    leader.kill().await;
    eventually(async || Ok(bus.publish("kept.two", "text".into()).await?.await?)).await;
    let other = eventually(async || cluster.leader("kept").await).await;
    assert_ne!(other.url(), leader.url());
    leader.restart().await
}

#[tokio::test]
async fn a_replica_set_elects_another_primary() -> anyhow::Result<()> {
    let set = MongoSet::start(3).await?;
    let kept = Client::with_uri_str(set.url()).await?.database("test").collection::<Document>("kept");
    kept.insert_one(doc! { "text": "kept" }).await?;
    let first = set.primary().await?;
    set.step_down().await?;
    let second = set.primary().await?;
    assert_ne!(first.url(), second.url());
    second.kill().await;
    eventually(async || Ok(kept.insert_one(doc! { "text": "kept too" }).await?)).await;
    assert_ne!(set.primary().await?.url(), second.url());
    second.restart().await?;
    assert_eq!(eventually(async || Ok(kept.count_documents(doc! {}).await?)).await, 2);
    Ok(())
}
