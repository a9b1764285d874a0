//! The command: ready, restarts, clean stop, and a second run on the same data.

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use anyhow::{Context, ensure};
use nix::{sys::signal, unistd::Pid};
use serde_json::Value;
use servers::{
    Scratch, http_status,
    process::{self, Process, Signal, runs},
};
use tokio::time::{Instant, sleep};

const DEADLINE: Duration = Duration::from_secs(90);
/// The runner waits 25 s for a service that drains, and 15 s for a server.
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// A running runner and its ready file.
struct Runner {
    process: Process,
    ready: Value,
    folder: Scratch,
}

impl Runner {
    async fn start(args: &[&str]) -> anyhow::Result<Self> {
        Self::start_in(Scratch::new()?, args).await
    }

    async fn start_in(folder: Scratch, args: &[&str]) -> anyhow::Result<Self> {
        let ready_file = folder.path().join("ready.json");
        let output = File::create(folder.path().join("output"))?;
        let mut command = process::command(Path::new(env!("CARGO_BIN_EXE_local")));
        command.args(["--no-page", "--port", "0", "--ready-file"]).arg(&ready_file).args(args);
        command.stdout(output.try_clone()?).stderr(output);
        let mut runner = Self { process: Process::spawn(command)?, ready: Value::Null, folder };
        let running = || runner.process.exit_status().is_none();
        let became_ready = eventually(async || ready_file.exists() || !running()).await;
        ensure!(became_ready && running(), "the runner is not ready:\n{}", runner.output());
        runner.ready = serde_json::from_str(&fs::read_to_string(&ready_file)?)?;
        Ok(runner)
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }

    fn pids(&self) -> Vec<u32> {
        let pids = self.ready["pids"].as_object().expect("pids");
        pids.values().map(|pid| u32::try_from(pid.as_u64().expect("a pid")).expect("a pid")).collect()
    }

    fn pid_of(&self, service: &str) -> anyhow::Result<Pid> {
        let pid = self.ready["pids"][service].as_i64().context("no such service")?;
        Ok(Pid::from_raw(i32::try_from(pid)?))
    }

    async fn is_ready(&self, service: &str) -> bool {
        let url = self.ready["health"][service].as_str().expect("a health address");
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        http_status(port, "/readyz").await == Some(200)
    }

    /// Sends SIGINT, as Ctrl-C does; returns whether the runner exited with success.
    async fn interrupt(&self) -> bool {
        self.process.signal(Signal::SIGINT);
        let exited = tokio::time::timeout(STOP_DEADLINE, self.process.exited()).await;
        exited.is_ok_and(|status| status.success())
    }
}

async fn eventually(mut holds: impl AsyncFnMut() -> bool) -> bool {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(20)).await;
    }
    true
}

#[tokio::test]
async fn a_service_that_exits_is_restarted_and_ctrl_c_leaves_no_process() -> anyhow::Result<()> {
    let runner = Runner::start(&["--gateways", "2", "--chat-stores", "2", "--matchers", "2"]).await?;
    let pids = runner.pids();
    assert_eq!(pids.len(), 8);
    assert!(pids.iter().all(|pid| runs(*pid)));
    assert_eq!(runner.ready["gateways"].as_array().map(Vec::len), Some(2));
    for step in ["starting NATS and MongoDB", "NATS ready", "MongoDB ready", "starting the services", "matcher-2 ready"]
    {
        assert!(runner.output().contains(step), "{step}: {}", runner.output());
    }

    for service in ["gateway-1", "chat-store-2", "matcher-1"] {
        signal::kill(runner.pid_of(service)?, Signal::SIGKILL)?;
        let line = format!("{service} restarted");
        assert!(eventually(async || runner.output().contains(&line)).await, "{}", runner.output());
        assert!(eventually(async || runner.is_ready(service).await).await, "{}", runner.output());
    }

    assert!(runner.interrupt().await, "{}", runner.output());
    assert!(!pids.iter().any(|pid| runs(*pid)));
    assert!(!runner.folder.path().join("ready.json").exists());
    Ok(())
}

#[tokio::test]
async fn the_servers_are_restarted_too() -> anyhow::Result<()> {
    let runner = Runner::start(&[]).await?;
    for server in ["nats", "mongodb"] {
        signal::kill(runner.pid_of(server)?, Signal::SIGKILL)?;
        let line = format!("{server} restarted");
        assert!(eventually(async || runner.output().contains(&line)).await, "{}", runner.output());
    }
    for service in ["gateway-1", "matcher-1", "chat-store-1"] {
        assert!(eventually(async || runner.is_ready(service).await).await, "{}", runner.output());
    }
    assert!(runner.interrupt().await, "{}", runner.output());
    Ok(())
}

#[tokio::test]
async fn a_second_run_on_the_same_data_has_the_same_key() -> anyhow::Result<()> {
    let data = Scratch::new()?;
    let folder = data.path().to_string_lossy();
    let mut keys = Vec::new();
    for _ in 0..2 {
        let runner = Runner::start(&["--data", &folder]).await?;
        keys.push(fs::read_to_string(data.path().join("secret-key"))?);
        assert!(runner.interrupt().await, "{}", runner.output());
    }
    assert_eq!(keys[0], keys[1]);
    Ok(())
}

#[tokio::test]
async fn a_killed_runner_leaves_no_process() -> anyhow::Result<()> {
    let runner = Runner::start(&[]).await?;
    let pids = runner.pids();
    runner.process.kill().await;
    assert!(eventually(async || !pids.iter().any(|pid| runs(*pid))).await);
    Ok(())
}

#[tokio::test]
async fn a_run_with_given_addresses_starts_no_servers() -> anyhow::Result<()> {
    let first = Runner::start(&[]).await?;
    let address = |name: &str| first.ready[name].as_str().expect("an address").to_owned();
    let (nats, mongodb) = (address("nats"), address("mongodb"));
    let args = ["--nats-url", &nats, "--mongodb-uri", &mongodb, "--database", "second"];
    let second = Runner::start(&args).await?;
    assert_eq!(second.ready["nats"], nats.as_str());
    assert_eq!(second.pids().len(), 3);
    assert!(second.interrupt().await, "{}", second.output());
    assert!(first.interrupt().await, "{}", first.output());
    Ok(())
}

#[tokio::test]
async fn an_executable_that_is_not_there_is_named() {
    let started = Runner::start(&["--mongod", "/nowhere/mongod"]).await;
    let error = started.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("/nowhere/mongod is not an executable file"), "{error}");
}
