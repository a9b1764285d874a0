//! A killed parent leaves no process: this binary executes itself again as that parent.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use servers::{
    Nats, NatsOptions,
    process::{self, runs},
};

const ROLE: &str = "SERVERS_TEST_PARENT";

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how this binary learns that it is the parent")]
async fn a_parent_that_is_killed_leaves_no_server() -> anyhow::Result<()> {
    if std::env::var_os(ROLE).is_some() {
        return be_the_parent().await;
    }
    let mut parent = Command::new(std::env::current_exe()?)
        .args(["--exact", "a_parent_that_is_killed_leaves_no_server", "--nocapture"])
        .env(ROLE, "yes")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = BufReader::new(parent.stdout.take().expect("piped"));
    let pid = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split("server pid ").nth(1)?.parse::<u32>().ok())
        .expect("the parent prints its server's pid");
    assert!(runs(pid));

    parent.kill()?;
    parent.wait()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while runs(pid) {
        assert!(Instant::now() < deadline, "the server {pid} survives its parent");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

async fn be_the_parent() -> anyhow::Result<()> {
    let nats = Nats::start(NatsOptions::default()).await?;
    println!("server pid {}", nats.pid().expect("it runs"));
    std::future::pending::<()>().await;
    Ok(())
}

#[tokio::test]
async fn a_suspended_process_can_be_stopped() -> anyhow::Result<()> {
    let mut command = process::command(Path::new("sleep"));
    command.arg("60");
    let process = process::Process::spawn(command)?;
    process.signal(process::Signal::SIGSTOP);
    let started = Instant::now();
    process.stop(Duration::from_secs(30)).await;
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(!runs(process.pid()));
    Ok(())
}
