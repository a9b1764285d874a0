//! A nats-server keeps what it acknowledged, and leaves no process or folder when it is dropped.

use async_nats::jetstream::{self, stream};
use servers::{Nats, NatsOptions};

async fn stream(nats: &Nats) -> anyhow::Result<(jetstream::Context, stream::Stream)> {
    let bus = jetstream::new(async_nats::connect(nats.url()).await?);
    let config = stream::Config { name: "kept".into(), subjects: vec!["kept.>".into()], ..Default::default() };
    let stream = bus.get_or_create_stream(config).await?;
    Ok((bus, stream))
}

#[tokio::test]
async fn a_message_survives_a_kill_and_a_restart_on_the_same_port() -> anyhow::Result<()> {
    let nats = Nats::start(NatsOptions::default()).await?;
    let (bus, _) = stream(&nats).await?;
    bus.publish("kept.one", "text".into()).await?.await?;
    let (url, first) = (nats.url(), nats.pid());

    nats.kill().await;
    assert_eq!(nats.pid(), None);
    nats.restart().await?;
    assert_eq!(nats.url(), url);
    assert_ne!(nats.pid(), first);

    let (_, stream) = stream(&nats).await?;
    let message = stream.get_raw_message(1).await?;
    assert_eq!(message.payload, "text");
    Ok(())
}

#[tokio::test]
async fn a_given_data_folder_is_kept_and_used_again() -> anyhow::Result<()> {
    let folder = servers::Scratch::new()?;
    let options = || NatsOptions { data: Some(folder.path().to_owned()), ..Default::default() };
    let nats = Nats::start(options()).await?;
    let (bus, _) = stream(&nats).await?;
    bus.publish("kept.one", "text".into()).await?.await?;
    nats.stop().await;
    drop(nats);

    let again = Nats::start(options()).await?;
    let (_, stream) = stream(&again).await?;
    assert_eq!(stream.get_info().await?.state.messages, 1);
    Ok(())
}

#[tokio::test]
async fn a_dropped_server_ends_and_its_folder_is_deleted() -> anyhow::Result<()> {
    let nats = Nats::start(NatsOptions::default()).await?;
    let pid = nats.pid().expect("it runs");
    let folder = nats.log_path().parent().expect("a folder").to_owned();
    drop(nats);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert!(!folder.exists());
    Ok(())
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_it() -> anyhow::Result<()> {
    let port = servers::free_port()?;
    let _listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
    let options = NatsOptions { port: Some(port), ..Default::default() };
    let error = Nats::start(options).await.expect_err("the port is taken");
    assert!(format!("{error:#}").contains(&port.to_string()), "{error:#}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_does_not_start_shows_the_end_of_its_log() -> anyhow::Result<()> {
    let options = NatsOptions { args: vec!["--config".into(), "/nowhere/nats.conf".into()], ..Default::default() };
    let error = Nats::start(options).await.expect_err("the file is missing");
    let error = format!("{error:#}");
    assert!(error.contains("ended while starting") && error.contains("no such file"), "{error}");
    Ok(())
}
