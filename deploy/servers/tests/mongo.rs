//! A mongod accepts majority writes and transactions, and keeps its data.

use std::os::unix::fs::PermissionsExt;

use mongodb::{
    Client, Collection,
    bson::{Document, doc},
    options::{Acknowledgment, WriteConcern},
};
use servers::{Mongo, MongoOptions, Scratch, shared_mongo};

async fn collection(mongo: &Mongo, database: &str) -> anyhow::Result<Collection<Document>> {
    let client = Client::with_uri_str(mongo.url()).await?;
    Ok(client.database(database).collection("kept"))
}

async fn insert(collection: &Collection<Document>) -> anyhow::Result<()> {
    let concern = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
    collection.insert_one(doc! { "text": "kept" }).write_concern(concern).await?;
    Ok(())
}

#[tokio::test]
async fn the_shared_server_accepts_a_majority_write() -> anyhow::Result<()> {
    let mongo = shared_mongo().await?;
    let kept = collection(mongo, &mongo.fresh_database()).await?;
    insert(&kept).await?;
    assert_eq!(kept.count_documents(doc! {}).await?, 1);
    Ok(())
}

#[tokio::test]
async fn the_shared_server_runs_a_transaction_from_another_runtime() -> anyhow::Result<()> {
    let mongo = shared_mongo().await?;
    let kept = collection(mongo, &mongo.fresh_database()).await?;
    insert(&kept).await?;
    let mut session = kept.client().start_session().await?;
    session.start_transaction().await?;
    kept.insert_one(doc! { "text": "second" }).session(&mut session).await?;
    session.abort_transaction().await?;
    assert_eq!(kept.count_documents(doc! {}).await?, 1);
    Ok(())
}

#[tokio::test]
async fn fresh_databases_differ() -> anyhow::Result<()> {
    let mongo = shared_mongo().await?;
    assert_ne!(mongo.fresh_database(), mongo.fresh_database());
    Ok(())
}

#[tokio::test]
async fn data_survives_a_kill_and_is_used_again_on_another_port() -> anyhow::Result<()> {
    let folder = Scratch::new()?;
    let options = || MongoOptions { data: Some(folder.path().to_owned()), ..Default::default() };
    let mongo = Mongo::start(options()).await?;
    insert(&collection(&mongo, "test").await?).await?;
    mongo.kill().await;
    mongo.restart().await?;
    assert_eq!(collection(&mongo, "test").await?.count_documents(doc! {}).await?, 1);
    let first = mongo.url();
    mongo.stop().await;
    drop(mongo);

    let again = Mongo::start(options()).await?;
    assert_ne!(again.url(), first);
    let kept = collection(&again, "test").await?;
    insert(&kept).await?;
    assert_eq!(kept.count_documents(doc! {}).await?, 2);
    Ok(())
}

#[tokio::test]
async fn the_error_for_a_missing_shared_library_names_the_package_to_install() -> anyhow::Result<()> {
    let folder = Scratch::new()?;
    let script = folder.path().join("mongod");
    // The message of the dynamic loader.
    let message = "error while loading shared libraries: libcurl.so.4: cannot open shared object file";
    std::fs::write(&script, format!("#!/bin/sh\necho '{message}' >&2\nexit 127\n"))?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    let options = MongoOptions { executable: Some(script), ..Default::default() };
    let error = Mongo::start(options).await.expect_err("it cannot start");
    assert!(format!("{error:#}").contains("apt install libcurl4 libssl3"), "{error:#}");
    Ok(())
}
