//! A MongoDB replica set of several members on this machine, each of which can be killed, paused and started again.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use tokio::time::{Instant, sleep};

use crate::{Access, Mongo, MongoOptions, replica_set};

/// How long the members may take to elect the first primary.
const ELECTION: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// A running replica set; its members are killed when dropped.
#[derive(Debug)]
pub struct MongoSet {
    members: Vec<Arc<Mongo>>,
    access: Option<Access>,
}

impl MongoSet {
    /// Starts so many members and waits until one of them is the primary, at most 60 s.
    ///
    /// # Errors
    /// When one of them does not start, or no primary is elected.
    pub async fn start(members: usize) -> anyhow::Result<Self> {
        Self::start_with(members, None, None, None).await
    }

    /// The same with a given executable, with a folder for the data, kept, and with users.
    ///
    /// # Errors
    /// As [`MongoSet::start`].
    pub async fn start_with(
        members: usize,
        executable: Option<PathBuf>,
        data: Option<PathBuf>,
        access: Option<Access>,
    ) -> anyhow::Result<Self> {
        let start = |number: usize| {
            let data = data.as_ref().map(|data| data.join(format!("mongodb-{number}")));
            let (executable, access) = (executable.clone(), access.clone());
            Mongo::start_member(MongoOptions { executable, data, access, ..Default::default() })
        };
        let mut started = Vec::new();
        for number in 1..=members {
            started.push(Arc::new(start(number).await?));
        }
        let set = Self { members: started, access };
        set.initiate().await?;
        Ok(set)
    }

    async fn initiate(&self) -> anyhow::Result<()> {
        let first = self.members.first().context("a replica set has members")?.member().await?;
        let hosts: Vec<String> = self.members.iter().map(|member| member.host()).collect();
        let made = first.make_set(&hosts).await;
        first.close().await;
        made.context("making the replica set")?;
        self.primary().await.map(drop)
    }

    /// The members, in the order in which they were started.
    #[must_use]
    pub fn members(&self) -> &[Arc<Mongo>] {
        &self.members
    }

    /// What clients connect to: all members; one who may do all.
    #[must_use]
    pub fn url(&self) -> String {
        replica_set::url(&self.hosts(), self.access.as_ref())
    }

    /// The names of the members, separated by commas.
    #[must_use]
    pub fn hosts(&self) -> String {
        self.members.iter().map(|member| member.host()).collect::<Vec<_>>().join(",")
    }

    /// Who is the primary; waits for an election, at most 60 s.
    ///
    /// # Errors
    /// When none is elected.
    pub async fn primary(&self) -> anyhow::Result<Arc<Mongo>> {
        let deadline = Instant::now() + ELECTION;
        loop {
            for mongo in self.members.iter().filter(|mongo| mongo.pid().is_some()) {
                let member = mongo.member().await?;
                let primary = member.is_primary().await;
                member.close().await;
                if primary {
                    return Ok(mongo.clone());
                }
            }
            ensure!(Instant::now() < deadline, "no primary was elected in {ELECTION:?}");
            sleep(POLL).await;
        }
    }

    /// Makes the primary give up its place, for 10 s at least.
    ///
    /// # Errors
    /// When there is none, or no other can follow.
    pub async fn step_down(&self) -> anyhow::Result<()> {
        let primary = self.primary().await?.member().await?;
        let result = primary.step_down().await;
        primary.close().await;
        result.context("stepping down")
    }
}
