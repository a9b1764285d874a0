//! How much one address may ask for, and whose word counts for an address.

use crate::support::{Lines, options, sink};
use local::{Stack, StackOptions};
use reqwest::{Client, Response};
use serde_json::Value;

/// What is admitted at once: ten seconds' worth.
const BURST: usize = 10;
/// Forms of a new connection; REST is asked apart.
const HANDSHAKES: [&str; 3] = [
    "/socket.io/?EIO=4&transport=polling",
    "/socket.io/?EIO=3&transport=polling",
    "/socket.io?EIO=4&transport=polling",
];

async fn stack(proxies: &str) -> Stack {
    stack_heard(proxies, &Lines::default()).await
}

async fn stack_heard(proxies: &str, lines: &Lines) -> Stack {
    let env = [("REQUESTS_PER_SECOND_PER_ADDRESS", "1"), ("TRUSTED_PROXIES", proxies)];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Stack::start(StackOptions { env, sink: sink(lines), ..options() }).await.expect("a stack")
}

async fn ask(http: &Client, url: &str, forwarded_for: &str) -> Response {
    let asked = http.get(url).header("x-forwarded-for", forwarded_for).header("origin", "https://a.example");
    asked.send().await.expect("an answer")
}

/// How many of twice a burst were answered.
async fn admitted(http: &Client, url: &str, forwarded_for: impl Fn(usize) -> String) -> usize {
    let mut admitted = 0;
    for n in 0..2 * BURST {
        admitted += usize::from(ask(http, url, &forwarded_for(n)).await.status().is_success());
    }
    admitted
}

#[tokio::test]
async fn behind_a_trusted_proxy_a_flood_is_refused_by_its_address_while_others_go_on() {
    let lines = Lines::default();
    let stack = stack_heard("127.0.0.0/8", &lines).await;
    let (http, gateway) = (Client::new(), &stack.gateway_urls()[0]);
    let auth = format!("{gateway}/auth");
    // Slow machines earn some more in the meantime.
    let count = admitted(&http, &auth, |n| format!("192.0.2.{n}, 198.51.100.1")).await;
    assert!((BURST..BURST + 8).contains(&count), "{count}");

    let refused = ask(&http, &auth, "198.51.100.1").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.headers()["access-control-allow-origin"], "https://a.example");
    let envelope: Value = refused.json().await.expect("an envelope");
    assert_eq!(envelope["success"], false);
    assert!(envelope["error"].as_str().is_some_and(|sentence| sentence.contains("too many requests")), "{envelope}");
    for handshake in HANDSHAKES {
        let url = format!("{gateway}{handshake}");
        assert_eq!(ask(&http, &url, "198.51.100.1").await.status(), 429);
        assert_eq!(ask(&http, &url, "198.51.100.2").await.status(), 200);
    }
    assert_eq!(ask(&http, &auth, "198.51.100.2").await.status(), 200);
    stack.stop().await.expect("a clean stop");
    let said = lines.lock().expect("free").join("\n");
    assert!(said.contains("gateway-1"), "nothing was heard of the gateway");
    assert!(!said.contains("198.51.100."), "an address is in the logs");
}

#[tokio::test]
async fn from_somebody_who_is_no_proxy_the_header_is_not_believed() {
    let stack = stack("10.0.0.0/8").await;
    let auth = format!("{}/auth", stack.gateway_urls()[0]);
    let count = admitted(&Client::new(), &auth, |n| format!("198.51.100.{n}")).await;
    assert!((BURST..BURST + 8).contains(&count), "{count}");
}

#[tokio::test]
async fn what_is_said_on_a_connection_does_not_count_as_a_new_one() {
    let stack = stack("").await;
    let (http, gateway) = (Client::new(), &stack.gateway_urls()[0]);
    let opened = http.get(format!("{gateway}{}", HANDSHAKES[0])).send().await.expect("an answer");
    let opened = opened.text().await.expect("a handshake");
    let opened: Value = serde_json::from_str(opened.strip_prefix('0').expect("an open packet")).expect("JSON");
    let sid = opened["sid"].as_str().expect("a sid");
    for _ in 0..3 * BURST {
        let url = format!("{gateway}/socket.io/?EIO=4&transport=polling&sid={sid}");
        let said = http.post(url).body("40").send().await.expect("an answer");
        assert_ne!(said.status(), 429);
    }
}
