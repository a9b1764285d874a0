//! What the chat-store is told, by flags or by environment. Nothing else reads either.

use clap::Parser;
use proto::{
    ProcessId,
    database::MongoDb,
    service::{Common, ServiceConfig},
};
use std::time::Duration;

/// Stores, announces and erases the messages of *talk to me*.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Config {
    /// What all services are told.
    #[command(flatten)]
    pub common: Common,
    /// What operators know this chat-store by, for instance the name of its pod: at most 55
    /// letters, digits, '-' or '_'. On the bus each process adds something of its own to it.
    #[arg(long, env = "CHAT_STORE_ID", default_value = "chat-store")]
    pub chat_store_id: ProcessId,
    /// Where MongoDB is.
    #[command(flatten)]
    pub mongodb: MongoDb,
    /// How long a message is kept when nothing erases it. Put off while its room is open, at a sweep; therefore it has
    /// to be at least four times as long as SWEEP_INTERVAL and SWEEP_GRACE together.
    #[arg(long, env = "MESSAGE_TTL", default_value = "24h", value_parser = humantime::parse_duration)]
    pub message_ttl: Duration,
    /// How many commands are stored at once at most.
    #[arg(long, env = "BATCH_SIZE", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub batch_size: u16,
    /// How often to look for messages whose room is gone.
    #[arg(long, env = "SWEEP_INTERVAL", default_value = "1m", value_parser = humantime::parse_duration)]
    pub sweep_interval: Duration,
    /// How long a room has to be gone before the sweep takes its messages: the time that the
    /// usual erasure has.
    #[arg(long, env = "SWEEP_GRACE", default_value = "10s", value_parser = humantime::parse_duration)]
    pub sweep_grace: Duration,
}

impl Config {
    /// A room that is open must not lose its messages between two sweeps: the next one would begin at 1 again.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let needed = 4 * (self.sweep_interval + self.sweep_grace);
        let shown = humantime::format_duration;
        anyhow::ensure!(
            self.message_ttl >= needed,
            "MESSAGE_TTL is {}, and has to be at least {}: four times SWEEP_INTERVAL and SWEEP_GRACE together",
            shown(self.message_ttl),
            shown(needed),
        );
        Ok(())
    }
}

impl ServiceConfig for Config {
    fn common(&self) -> &Common {
        &self.common
    }

    fn instance(&self) -> String {
        self.chat_store_id.to_string()
    }
}
