//! One clock for all matchers: that of MongoDB's primary. Times in documents are compared by whichever matcher comes
//! across them, so that the clocks of their hosts must not matter.

use mongodb::{Database, bson::doc, error::Error};
use proto::bus::now_ms;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// How often the offset is measured: the clocks of two hosts drift apart by far less than a millisecond in that time.
pub(crate) const MEASURED_EVERY: Duration = Duration::from_secs(10);

/// The time by the clock of MongoDB's primary.
#[derive(Clone)]
pub(crate) struct Clock {
    database: Database,
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The same as the host's until it is first measured.
    pub(crate) fn new(database: &Database) -> Self {
        Self { database: database.clone(), offset_ms: Arc::default() }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        now_ms() + self.offset_ms.load(Ordering::Relaxed)
    }

    /// Measures how far this host's clock is from the primary's.
    pub(crate) async fn measure(&self) -> Result<(), Error> {
        let sent = now_ms();
        let reply = self.database.run_command(doc! { "hello": 1 }).await?;
        let received = now_ms();
        if let Ok(theirs) = reply.get_datetime("localTime") {
            self.offset_ms.store(theirs.timestamp_millis() - i64::midpoint(sent, received), Ordering::Relaxed);
        }
        Ok(())
    }
}
