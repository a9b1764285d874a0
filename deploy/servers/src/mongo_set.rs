//! A MongoDB replica set of several members on this machine. Each member can be killed, suspended and started again.

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
    /// Starts this many members and waits until one of them is the primary, 60 s at most.
    ///
    /// # Errors
    /// When one of them does not start, or no primary is elected.
    pub async fn start(members: usize) -> anyhow::Result<Self> {
        Self::start_with(members, None, None, None).await
    }

    /// The same with a given executable, a folder for the data, which is kept, and users.
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
        let initiated = first.make_set(&hosts).await;
        first.close().await;
        initiated.context("initiating the replica set")?;
        self.primary().await.map(drop)
    }

    /// The members, in the order in which they were started.
    #[must_use]
    pub fn members(&self) -> &[Arc<Mongo>] {
        &self.members
    }

    /// The address for clients: all members, as the user with all rights.
    #[must_use]
    pub fn url(&self) -> String {
        replica_set::url(&self.hosts(), self.access.as_ref())
    }

    /// The hosts of the members, separated by commas.
    #[must_use]
    pub fn hosts(&self) -> String {
        self.members.iter().map(|member| member.host()).collect::<Vec<_>>().join(",")
    }

    /// The primary; waits for an election, 60 s at most.
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

    /// Makes the primary step down for at least 10 s.
    ///
    /// # Errors
    /// When there is no primary, or no other member can become one.
    pub async fn step_down(&self) -> anyhow::Result<()> {
        let primary = self.primary().await?.member().await?;
        let result = primary.step_down().await;
        primary.close().await;
        result.context("stepping down")
    }
}
