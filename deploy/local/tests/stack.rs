//! The library: isolated stacks whose processes a test can kill, pause and start again.

use local::{Stack, StackOptions};

fn options() -> StackOptions {
    StackOptions::new(env!("CARGO_BIN_EXE_local"))
}

#[tokio::test]
async fn two_stacks_share_nothing_but_the_database_server() -> anyhow::Result<()> {
    let (one, other) = tokio::try_join!(Stack::start(options()), Stack::start(options()))?;
    assert_ne!(one.nats_url(), other.nats_url());
    assert_ne!(one.gateway_urls(), other.gateway_urls());
    assert_eq!(one.mongodb_uri(), other.mongodb_uri());
    assert_ne!(one.database(), other.database());
    one.stop().await?;
    assert!(other.gateways()[0].is_ready().await);
    other.stop().await
}

#[tokio::test]
async fn a_service_is_killed_and_started_again_suspended_and_resumed() -> anyhow::Result<()> {
    let stack = Stack::start(options()).await?;
    let gateway = &stack.gateways()[0];
    gateway.kill().await;
    assert_eq!(gateway.pid(), None);
    assert!(!gateway.is_ready().await);
    gateway.start()?;
    gateway.ready().await?;
    gateway.pause();
    assert!(!gateway.is_ready().await);
    gateway.resume();
    gateway.ready().await?;
    stack.stop().await
}

#[tokio::test]
async fn a_service_that_drained_ended_in_success() -> anyhow::Result<()> {
    let stack = Stack::start(StackOptions { matchers: 2, chat_stores: 2, ..options() }).await?;
    for service in stack.services() {
        let status = service.terminate().await;
        assert!(status.success(), "{}: {status}\n{}", service.name(), service.recent_log());
    }
    stack.stop().await
}

#[tokio::test]
async fn a_gateway_port_in_use_is_named_before_any_server_starts() -> anyhow::Result<()> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", servers::free_port()?))?;
    let port = listener.local_addr()?.port();
    let started = Stack::start(StackOptions { port: Some(port), ..options() }).await;
    let error = started.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.contains(&port.to_string()), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_service_that_cannot_start_shows_its_log() {
    let env = vec![("PING_INTERVAL".to_owned(), "not a duration".to_owned())];
    let started = Stack::start(StackOptions { env, ..options() }).await;
    let error = started.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.contains("gateway-1 ended while starting"), "{error}");
    assert!(error.contains("not a duration"), "{error}");
}

#[tokio::test]
async fn of_services_that_wait_for_each_other_the_one_that_failed_is_named_first() {
    // Only the matcher reads it; the others wait for the streams, which it makes.
    let env = vec![("MATCH_INTERVAL".to_owned(), "not a duration".to_owned())];
    let started = Stack::start(StackOptions { env, ..options() }).await;
    let error = started.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.starts_with("matcher-1 ended while starting"), "{error}");
    assert!(error.contains("not a duration"), "{error}");
    assert!(error.contains("gateway-1 is not ready either"), "{error}");
}
